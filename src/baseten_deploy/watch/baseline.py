"""What was measured in the hour before, of what served then: read before a promotion changes it."""

from baseten_deploy.run import Run
from baseten_deploy.service.answers import Environment
from baseten_deploy.service.http import HttpError
from baseten_deploy.service.metrics import Metrics

HOUR_MILLIS = 3_600_000


def read_before(run: Run, model_id: str, environment: Environment | None, *, needed: bool) -> Metrics | None:
    """The metrics of the hour before, `None` where nothing served then, or where they could not be read.

    They are asked for again when they are `needed` for a ratio. Without them ratios are not judged; that ends no run.
    """
    if environment is None or environment.current is None:
        return None
    end = run.api.http.epoch_millis()
    start = max(0, end - HOUR_MILLIS)
    try:
        return run.api.metrics(model_id, environment=environment.name, start=start, end=end, retry=needed)
    except HttpError as error:
        run.say(f"The metrics of {environment.name} in the hour before could not be read: {error.message}")
        return None
