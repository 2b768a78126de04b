"""All the ways in which a service cannot be asked, each as what a transport does instead of answering."""

import httpx

HTML = "<html><head><title>Maintenance</title></head></html>"


def raising(error):
    """A connection that fails so."""

    def fail():
        raise error("the test says so")

    return fail


def answering(status, text="", **headers):
    """An answer instead of the service's."""
    return lambda: httpx.Response(status, text=text, headers=headers)


KINDS = {
    "refused": raising(httpx.ConnectError),
    "name unknown": raising(lambda text: httpx.ConnectError(f"[Errno -2] Name or service not known: {text}")),
    "reset": raising(httpx.ReadError),
    "time-out": raising(httpx.ReadTimeout),
    "connect time-out": raising(httpx.ConnectTimeout),
    "HTML with 200": answering(200, HTML, content_type="text/html"),
    "half a JSON": answering(200, '{"id": "dep1", "sta'),
    "wrong shape": answering(200, '{"models": []}'),
    **{str(status): answering(status, "{}") for status in (302, 400, 405, 408, 425, 429, 451, 500, 502, 503, 504)},
    **{str(status): answering(status, HTML) for status in (520, 521, 522, 523, 524, 525, 526, 527, 530)},
}
