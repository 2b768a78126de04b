"""What a call that failed means for people."""

import httpx
import pytest
from transport import AMBIGUOUS, FakeClock, make_api

from baseten_deploy.errors import AuthFailed, CommitFailed, Rejected
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.remedies import explain, failing_as
from baseten_deploy.service.retry import Failure, Fault


class TestExplain:
    """What an error becomes for people."""

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key_is_its_own_status(self, status):
        """Whatever was being done."""
        error = HttpError(Failure(Fault.STATUS, status), f"{status}: no", "GET /x")
        told = explain(error, CommitFailed, "Doing it")
        assert AuthFailed is type(told)
        assert told.problems[0].remedy

    @pytest.mark.parametrize(
        ("failure", "word"),
        [
            (Failure(Fault.NOT_SENT), "api-url"),
            (Failure(Fault.STATUS, 429), "rate limit"),
            (Failure(Fault.STATUS, 503), "status.baseten.co"),
            (Failure(Fault.NO_ANSWER), "status.baseten.co"),
            (Failure(Fault.STATUS, 400), "Correct it."),
        ],
    )
    def test_the_remedy_fits_the_cause(self, failure, word):
        """Nobody corrects a config because the service is down."""
        told = explain(HttpError(failure, "said so", "GET /x"), Rejected, "Doing it", "Correct it.")
        assert "Doing it: said so" == told.problems[0].message
        assert word in told.problems[0].remedy

    @pytest.mark.parametrize(
        ("failure", "said"),
        [
            (Failure(Fault.STATUS, 400), "It was refused: why"),
            (Failure(Fault.STATUS, 422), "It was refused: why"),
            (Failure(Fault.STATUS, 429), "It could not be done: why"),
            (Failure(Fault.STATUS, 502), "It could not be done: why"),
            (Failure(Fault.NOT_SENT), "It could not be done: why"),
            (Failure(Fault.NO_ANSWER), "It could not be done: why"),
            (Failure(Fault.BAD_ANSWER), "It could not be done: why"),
        ],
    )
    def test_trouble_is_no_refusal(self, failure, said):
        """Who calls it one says what else it is when the service did not get to judge."""
        told = explain(
            HttpError(failure, "why", "GET /x"), Rejected, "It was refused", unanswered="It could not be done"
        )
        assert (Rejected, said) == (type(told), told.problems[0].message)

    @pytest.mark.parametrize(
        ("status", "word"), [(400, "Correct what the service names"), (404, "names and ids"), (422, "Correct what")]
    )
    def test_a_refusal_without_a_remedy_of_its_own(self, status, word):
        """The service's words first, and what to do all the same."""
        told = explain(HttpError(Failure(Fault.STATUS, status), "no such thing", "GET /x"), Rejected, "Doing it")
        assert "Doing it: no such thing" == told.problems[0].message
        assert word in told.problems[0].remedy

    def test_other_errors_pass(self):
        """Only `HttpError` is explained."""
        with pytest.raises(KeyError), failing_as(Rejected, "x"):
            raise KeyError

    @pytest.mark.parametrize("fault", AMBIGUOUS[:4], ids=str)
    def test_as_a_context(self, fault):
        """The same as a context manager, keeping the cause."""
        api = make_api(lambda request: fault.fail(request, httpx.Response(200)), FakeClock())
        with pytest.raises(Rejected) as caught, failing_as(Rejected, "Listing the teams"):
            api.teams()
        assert isinstance(caught.value.__cause__, HttpError)
