"""Secrets are taken out of every text, in each form in which a server or a library is likely to repeat them."""

import base64
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from baseten_deploy.ci.redaction import PLACEHOLDER, Redactor
from baseten_deploy.report.markdown import escape

# Neither blanks, at which a secret is split or stripped, nor the placeholder's own character.
SECRETS = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="*"), min_size=4, max_size=30)


def redactor_of(*secrets: str) -> Redactor:
    """Learn secrets."""
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


class TestRedactor:
    """What it takes out."""

    @given(st.lists(SECRETS, min_size=1, max_size=4), st.data())
    def test_no_secret_survives(self, secrets, data):
        """Whatever stands around it, and however often, in any form."""
        redactor = redactor_of(*secrets)
        text = ""
        for _ in range(data.draw(st.integers(1, 4))):
            secret = data.draw(st.sampled_from(secrets))
            forms = [
                secret,
                quote(secret),
                quote(secret, safe=""),
                quote_plus(secret),
                json.dumps(secret),
                json.dumps(secret, ensure_ascii=False),
                base64.b64encode(secret.encode()).decode(),
                escape(secret),
            ]
            text += data.draw(st.text(max_size=5)) + data.draw(st.sampled_from(forms))
        redacted = redactor.redact(text)
        for secret in secrets:
            for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], escape(secret)):
                assert form not in redacted

    @given(
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="*"), min_size=8, max_size=40),
        st.binary(max_size=7),
        st.binary(max_size=7),
    )
    def test_no_secret_survives_base64(self, secret, before, after):
        """In all three alignments, with both alphabets: what is left cannot be turned back into it."""
        redactor = redactor_of(secret)
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(before + secret.encode() + after).decode()
            redacted = redactor.redact(text)
            assert PLACEHOLDER in redacted
            left = re.sub(re.escape(PLACEHOLDER), "", redacted)
            assert len(left) <= len(text) - (len(secret) * 8 - 10) // 6

    @pytest.mark.parametrize(
        "form",
        [
            *("pass%2Fword%26%3C%2B%22x", "pass%2fword%26%3c%2b%22x", "pass/word%26%3c%2b%22x"),
            *(r"pass\/word&<+\"x", r"pass\\/word&<+\\\"x", r"pass/word&<+\\\"x", r"pass/word&<+\"x"),
            *(r"pass/word\u0026\u003c+\"x", r"pass\\\/word&<+\\\"x", r"pass/word\\u0026\\u003c+\\\"x"),
            *("pass/word&amp;&lt;+&quot;x", "pass/word&#38;&#60;+&#34;x", "pass&#x2F;word&#x26;&#x3C;+&#x22;x"),
            *("pass/word&amp;&lt;+&#34;x", 'pass/word&amp;&lt;+"x', "pass&#47;word&#38;&#60;+&#34;x"),
        ],
    )
    def test_escaped(self, form):
        """As URLs, JSON within JSON, and pages write it."""
        redacted = redactor_of('pass/word&<+"x').redact(f"<{form}>")
        assert f"<{PLACEHOLDER}>" == redacted

    @given(st.text("_:!)(*x1 .", min_size=4), st.text("_:!)x1 .", max_size=3), st.text("_:!)x1 .", max_size=3))
    def test_no_secret_survives_markdown(self, secret, before, after):
        """Which of its characters are escaped depends on what stands around it."""
        secret = secret.strip()
        assume(len(secret) >= 4)
        redacted = redactor_of(secret).redact(escape(before + secret + after))
        # The placeholder is made of what a secret may have as well: `11` and `***` are not the secret `11**`.
        assert secret not in unescape(redacted.replace(PLACEHOLDER, "\0"))

    def test_the_rest_stays(self):
        """Only the secret goes."""
        assert f"a {PLACEHOLDER} b{PLACEHOLDER}" == redactor_of("s3cret").redact("a s3cret bs3cret")

    def test_a_secret_within_a_secret(self):
        """The longer one goes whole, in whatever order they are learnt."""
        for secrets in (["token", "token-and-more"], ["token-and-more", "token"]):
            assert f"<{PLACEHOLDER}> <{PLACEHOLDER}>" == redactor_of(*secrets).redact("<token-and-more> <token>")

    def test_each_line_of_a_secret(self):
        """A log shows a private key line by line, and a carriage return may be lost."""
        redactor = redactor_of("-----BEGIN\r\nline one\nline two\r\n")
        assert f"{PLACEHOLDER}\n{PLACEHOLDER}\nx {PLACEHOLDER}" == redactor.redact("-----BEGIN\nline one\nx line two")

    def test_blanks_around_a_secret(self):
        """They are not part of it."""
        assert PLACEHOLDER == redactor_of(" s3cret\n").redact("s3cret")

    @pytest.mark.parametrize("secret", ["", " ", "\n", "abc", " ab \n"])
    def test_nothing_to_hide(self, secret):
        """What is so short is no secret, and taking it out would shred every message."""
        assert f"abc ab {secret}" == redactor_of(secret).redact(f"abc ab {secret}")

    @pytest.mark.parametrize("secret", ["caf\udce9-s3cret", "\ud800-s3cret"])
    def test_a_secret_that_is_no_text(self, secret):
        """Bytes that are not UTF-8 arrive so; they are hidden like any other."""
        assert PLACEHOLDER == redactor_of(secret).redact(secret)

    def test_repr_has_no_secret(self):
        """A traceback may show it."""
        assert "s3cret" not in repr(redactor_of("s3cret"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://b.s3.test/k.tgz?X-Amz-Signature=deadbeef expired", "see https://b.s3.test/k.tgz?*** expired"),
        ('{"url": "https:\\/\\/b.test\\/k?sig=1&a=2"}', '{"url": "https:\\/\\/b.test\\/k?***"}'),
        ("HTTP://b.test?sig=1 and https://c.test/?sig=2", "HTTP://b.test?*** and https://c.test/?***"),
        ("why? https://docs.test/a#b", "why? https://docs.test/a#b"),
        ("https://a.test/https://b.test/k?sig=1", "https://a.test/https://b.test/k?***"),
        ("https:// and https://?sig=1", "https:// and https://?***"),
        ("https://a.test/k?", "https://a.test/k?"),
    ],
)
def test_urls_of_a_server_lose_their_queries(text, shown):
    """A presigned URL is a credential that nobody knew before."""
    assert shown == redactor_of().redact_foreign(text)


@pytest.mark.parametrize("text", ["https://" * 8192, "https://a" * 7000, "http://x?" * 7000])
def test_no_text_takes_long(text):
    """An answer made to keep a regular expression busy."""
    start = time.process_time()
    redactor_of().redact_foreign(text)
    assert time.process_time() - start < 1


def test_what_threads_learn_at_once_is_all_known():
    """None of it is lost, however they interleave."""
    redactor, secrets = Redactor(), [f"secret-{number:04}" for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(redactor.add, secrets))
    assert [PLACEHOLDER] * 200 == [redactor.redact(secret) for secret in secrets]
