"""A model that greets: what the demo and the tests deploy."""

from typing import Any


class Model:
    """Loaded once when a replica starts; `predict` answers each request."""

    def __init__(self, **kwargs: Any) -> None:
        self._config: dict[str, Any] = kwargs.get("config", {})
        self._greeting = ""

    def load(self) -> None:
        """Weights would be read here; the deployment becomes live when this returns."""
        self._greeting = "Hello"

    def predict(self, model_input: dict[str, Any]) -> dict[str, str]:
        """Greet `model_input["name"]`."""
        return {"greeting": f"{self._greeting}, {model_input.get('name', 'stranger')}!"}
