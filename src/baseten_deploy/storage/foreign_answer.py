"""An answer to a request for S3 that is not S3's: a redirect to a sign-in page, a firewall's page, a bare 501. Pure.

S3 says what is wrong in XML, and where it redirects to in XML or in a header of its own. Whatever else answers with an
error gives botocore nothing to read: it would say "no message", ask for the region of the bucket over and over, or
raise what no caller expects. What a success must carry is checked by `client`.
"""

from collections.abc import Mapping

from baseten_deploy.network.interception import Interception, Kind, is_page, recognise

_REGION = "x-amz-bucket-region"
_TEXT_BYTES = 64 * 1024
# These pass, whoever says so: a load balancer in front of S3 answers them without S3's words.
PASSING = frozenset({408, 429})


class ForeignAnswerError(Exception):
    """An answer that is not S3's. `status` is its status, `interception` what it is and what to do."""

    def __init__(self, operation: str, status: int, interception: Interception) -> None:
        self.operation = operation
        self.status = status
        self.interception = interception
        super().__init__(f"{operation}: {status}")

    @property
    def passing(self) -> bool:
        """Whether a later try may find S3 behind it."""
        return self.status in PASSING or (self.status >= 500 and self.status != 501)


def recognise_foreign(
    status: int, headers: Mapping[str, str], body: bytes, url: str, method: str
) -> Interception | None:
    """What an answer is that is not S3's; `None` for S3's, and for what is botocore's to read or to try again."""
    lower = {str(name).lower(): str(value) for name, value in headers.items()}
    text = body[:_TEXT_BYTES].decode("utf-8", "replace")
    page = is_page(lower.get("content-type", ""), text)
    if "<Error" in text and not page:
        return None
    if status in (407, 511):
        return recognise(status, lower, text, url)
    if 300 <= status < 400:
        return None if _REGION in lower else recognise(status, lower, text, url)
    if status < 300 and not page:
        if not text.strip() or text.lstrip("\ufeff \r\n\t").startswith("<"):
            return None
        return Interception(Kind.PAGE, "it is not XML", "")
    passing = status in PASSING or (status >= 500 and status != 501)
    found = recognise(status, lower, text, url) if page else None
    if found is not None or passing or method == "HEAD":
        return found
    return Interception(Kind.PAGE, "it has none of the words that S3 gives a refusal", "")
