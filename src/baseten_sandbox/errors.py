"""The one exception of the stand-in: a refusal, with what the wire says about it."""

from http import HTTPStatus


class Refused(Exception):
    """The request is refused with `status` and the body `{"code", "message"}`.

    `retry_after` seconds make it a rate limit, whose body is `{"error", "retry_after"}`.
    """

    def __init__(self, status: HTTPStatus, code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


def invalid(message: str) -> Refused:
    """400: a well-formed request that breaks a rule."""
    return Refused(HTTPStatus.BAD_REQUEST, "VALIDATION_ERROR", message)


def malformed(message: str) -> Refused:
    """422: a body or query that is not what the API documents."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_REQUEST", message)


def unauthorized() -> Refused:
    """401: no key, or a wrong one."""
    return Refused(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", "The API key is missing or not valid")


def missing(what: str) -> Refused:
    """404: there is no such thing."""
    return Refused(HTTPStatus.NOT_FOUND, "NOT_FOUND", f"{what} not found")


def too_many(retry_after: float) -> Refused:
    """429: come again after so many seconds."""
    return Refused(HTTPStatus.TOO_MANY_REQUESTS, "RATE_LIMITED", "Rate limit exceeded", retry_after=retry_after)
