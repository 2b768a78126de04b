"""Addresses of a deployed model: where it is asked, and where a person reads its log. Pure.

An inference URL has `{model_id}` where the id goes.
"""

_LOGS_PAGE = "https://app.baseten.co/models/{model}/logs/{deployment}"


def logs_page(model_id: str, deployment_id: str) -> str:
    """The page of a deployment's log."""
    return _LOGS_PAGE.format(model=model_id, deployment=deployment_id)


def predict_url(inference_url: str, model_id: str, deployment_id: str, *, development: bool = False) -> str:
    """The predict endpoint of one deployment; `inference_url` has `{model_id}` where the id goes."""
    base = inference_url.replace("{model_id}", model_id).rstrip("/")
    return f"{base}/development/predict" if development else f"{base}/deployment/{deployment_id}/predict"


def environment_url(inference_url: str, model_id: str, environment: str, *, regional: bool = False) -> str:
    """The predict endpoint of an environment; a regional one has a host of its own."""
    if regional:
        return inference_url.replace("{model_id}", f"{model_id}-{environment}").rstrip("/") + "/predict"
    return f"{inference_url.replace('{model_id}', model_id).rstrip('/')}/environments/{environment}/predict"


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
