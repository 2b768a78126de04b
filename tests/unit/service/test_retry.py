"""The pure decisions about trying again."""

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baseten_deploy.service.retry import ATTEMPTS, CAP_SECONDS, Failure, Fault, backoff, delay_before_retry, parse_hint

NOT_SENT = Failure(Fault.NOT_SENT)
NO_ANSWER = Failure(Fault.NO_ANSWER)
BAD_ANSWER = Failure(Fault.BAD_ANSWER)


def status(number, hint=None):
    """Make the failure of an HTTP error."""
    return Failure(Fault.STATUS, number, hint)


def headers(retry_after):
    """The headers of an answer that asks to wait, or of one that does not."""
    return {} if retry_after is None else {"Retry-After": retry_after}


class TestFailure:
    """What a failure says about the server."""

    @pytest.mark.parametrize(
        ("failure", "transient", "refused_unseen", "ambiguous"),
        [
            (NOT_SENT, True, True, False),
            (NO_ANSWER, True, False, True),
            (BAD_ANSWER, True, False, True),
            (status(429), True, True, False),
            *((status(number), True, False, True) for number in (408, 500, 501, 502, 503, 504, 520, 599)),
            *((status(number), False, False, False) for number in (301, 302, 307, 400, 401, 403, 404, 409, 422)),
        ],
    )
    def test_classes(self, failure, transient, refused_unseen, ambiguous):
        """Each failure is transient or final; a transient one was either refused unseen or is ambiguous."""
        assert (transient, refused_unseen, ambiguous) == (failure.transient, failure.refused_unseen, failure.ambiguous)


class TestDelay:
    """Whether and when the next try is sent."""

    def test_grows_exponentially_with_full_jitter_up_to_a_cap(self):
        """Half the chance is half the time; no pause is longer than the cap."""
        assert [0.25, 0.5, 1.0, 2.0] == [backoff(attempt, 0.5) for attempt in (1, 2, 3, 4)]
        assert [0.0, CAP_SECONDS * 0.75] == [backoff(3, 0.0), backoff(50, 0.75)]

    @given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
    def test_is_a_pause_for_any_attempt(self, attempt, chance):
        """Also the ten-thousandth try of a smoke test that may take a day."""
        assert 0 <= backoff(attempt, chance) <= CAP_SECONDS

    @pytest.mark.parametrize("failure", [NOT_SENT, NO_ANSWER, BAD_ANSWER, status(408), status(429), status(503)])
    def test_tries_five_times(self, failure):
        """Transient failures have four more tries, then it is over."""
        delays = [delay_before_retry(failure, attempt, 0.5, 100) for attempt in range(1, ATTEMPTS + 1)]
        assert [0.25, 0.5, 1.0, 2.0, None] == delays

    @pytest.mark.parametrize("number", [302, 400, 401, 403, 404, 409, 413, 422])
    def test_does_not_ask_again_after_a_no(self, number):
        """A refusal is the same the second time, whatever hint it carries."""
        assert delay_before_retry(status(number, hint=1), 1, 0.5, 100) is None

    def test_never_undercuts_a_hint(self):
        """Jitter comes on top of what the server asked for."""
        assert [7.0, 7.25] == [delay_before_retry(status(429, hint=7), 1, chance, 100) for chance in (0.0, 0.5)]

    @pytest.mark.parametrize(("hint", "left"), [(60, 60), (60, 59), (61, 60), (None, 0), (None, -5), (0, -1)])
    def test_gives_up_when_the_pause_does_not_fit(self, hint, left):
        """Waiting past the deadline would only fail later."""
        assert delay_before_retry(status(429, hint), 1, 0.5, left) is None


class TestHint:
    """`Retry-After` and `retry_after`."""

    @pytest.mark.parametrize(
        ("header", "body", "seconds"),
        [
            (None, None, None),
            ("", {}, None),
            ("7", None, 7.0),
            (" 7 ", "text", 7.0),
            ("0", None, 0.0),
            (None, {"retry_after": 3}, 3.0),
            (None, {"retry_after": 2.5}, 2.5),
            ("9", {"retry_after": 3}, 3.0),
            ("9", {"retry_after": "soon"}, 9.0),
            ("9", {"retry_after": -1}, 9.0),
            ("9", {"retry_after": True}, 9.0),
            ("9", {"retry_after": None}, 9.0),
            ("9", {"retry_after": float("nan")}, 9.0),
            ("9", {"retry_after": float("inf")}, 9.0),
            ("9", {"retry_after": 10**400}, 9.0),
            ("9", [1], 9.0),
            ("-5", None, None),
            ("soon", None, None),
            ("²", None, None),
            (formatdate(1_000_030, usegmt=True), None, 30.0),
            (formatdate(999_000, usegmt=True), None, 0.0),
            ("Mon, 99 Foo 2026 00:00:00 GMT", None, None),
        ],
    )
    def test_reads_what_is_a_time(self, header, body, seconds):
        """Seconds or a date in the header, seconds in the body; nonsense is no hint."""
        assert seconds == parse_hint(headers(header), body, 1_000_000)

    def test_a_hint_of_ages_is_finite(self):
        """A number of a thousand digits ends the tries instead of the program."""
        assert delay_before_retry(status(429, parse_hint(headers("9" * 1000), None, 0)), 1, 0.5, 3600) is None

    @given(
        st.none()
        | st.text(max_size=40)
        | st.from_regex(r"\A[A-Z][a-z]{2}, [0-9]{1,3} Jan [0-9]{1,5} [0-9:]{1,8} GMT\Z"),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.just("retry_after"), inner),
            max_leaves=3,
        ),
    )
    def test_never_fails(self, header, body):
        """Whatever a server says, the answer is seconds from now on or nothing."""
        hint = parse_hint(headers(header), body, 1_000_000.0)
        assert hint is None or 0 <= hint < float("inf")


@given(st.integers(-(10**6), 10**6))
def test_a_date_is_measured_against_the_answers_own(wrong):
    """The runner's clock may be wrong by days."""
    told = {"Retry-After": "Sat, 28 Nov 2026 12:00:30 GMT", "Date": "Sat, 28 Nov 2026 12:00:00 GMT"}
    assert 30.0 == parse_hint(told, None, 1_795_867_200 + wrong)
