"""Addresses of a deployed model or Chain: where it is asked, and where a person reads its log. Pure.

An inference URL has `{model_id}` where the id goes; one for Chains may say `{chain_id}`. A model answers at `predict`,
a Chain at `run_remote`: the `route` of the settings.

Spec: Baseten's "Calling your model" and "Invocation" of Chains, and the URLs that `truss` itself builds
(`truss.remote.baseten.service.URLConfig`).
"""

_LOGS_PAGE = "https://app.baseten.co/models/{model}/logs/{deployment}"


PREDICT, RUN_REMOTE = "predict", "run_remote"
# What `inference-url` is by default; whoever asks a Chain and leaves it so means the Chain's.
_MODEL_URL, _CHAIN_URL = "https://model-{model_id}.api.baseten.co", "https://chain-{chain_id}.api.baseten.co"


def chain_logs_page(app_url: str, chain_id: str, deployment_id: str) -> str:
    """The page of the log of a Chain's deployment, with all its chainlets."""
    return f"{app_url.rstrip('/')}/chains/{chain_id}/logs/{deployment_id}"


def logs_page(model_id: str, deployment_id: str) -> str:
    """The page of a deployment's log."""
    return _LOGS_PAGE.format(model=model_id, deployment=deployment_id)


def predict_url(
    inference_url: str, model_id: str, deployment_id: str, *, development: bool = False, route: str = PREDICT
) -> str:
    """The predict endpoint of one deployment; `inference_url` has `{model_id}` where the id goes."""
    base = _filled(inference_url, model_id, route)
    return f"{base}/development/{route}" if development else f"{base}/deployment/{deployment_id}/{route}"


def environment_url(
    inference_url: str, model_id: str, environment: str, *, regional: bool = False, route: str = PREDICT
) -> str:
    """The predict endpoint of an environment; a regional one has a host of its own."""
    if regional:
        return f"{_filled(inference_url, f'{model_id}-{environment}', route)}/{route}"
    return f"{_filled(inference_url, model_id, route)}/environments/{environment}/{route}"


def _filled(inference_url: str, host: str, route: str) -> str:
    url = _CHAIN_URL if route == RUN_REMOTE and inference_url == _MODEL_URL else inference_url
    return url.replace("{model_id}", host).replace("{chain_id}", host).rstrip("/")


def own_route(predict: str, path: str) -> str:
    """The address of a route of the model's own server, beside any of the predict endpoints above.

    `predict` is that endpoint; `path` begins with a slash, and a query in it stays:
    `.../deployment/{id}/sync/generate`.
    """
    return f"{predict.removesuffix('/predict')}/sync{path}"


def openai_url(
    inference_url: str,
    model_id: str,
    *,
    deployment_id: str = "",
    environment: str = "",
    development: bool = False,
    regional: bool = False,
) -> str:
    """The OpenAI-compatible base URL of an environment, of the development slot, or of one deployment.

    `inference_url` has `{model_id}` where the id goes. Clients append `/chat/completions` and the like. Spec: Baseten's
    "Calling your model", and the URLs that `truss` itself builds (`truss.remote.baseten.service`).
    """
    host = f"{model_id}-{environment}" if regional and environment else model_id
    base = inference_url.replace("{model_id}", host).rstrip("/")
    if environment:
        return f"{base}/sync/v1" if regional else f"{base}/environments/{environment}/sync/v1"
    return f"{base}/development/sync/v1" if development else f"{base}/deployment/{deployment_id}/sync/v1"
