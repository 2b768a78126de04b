"""A tiny Chain: an entry point that asks another chainlet for a number and says it. No GPU, no requirements."""

import random

import truss_chains as chains


class RandInt(chains.ChainletBase):
    """Draws a number."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="512Mi"))

    async def run_remote(self, max_value: int) -> int:
        """A number from 1 to `max_value`."""
        return random.randint(1, max_value)  # noqa: S311 - a greeting is no secret


@chains.mark_entrypoint("Hello Chain")
class HelloChain(chains.ChainletBase):
    """Says a number that `RandInt` draws."""

    def __init__(self, rand_int: RandInt = chains.depends(RandInt, retries=3)) -> None:
        self._rand_int = rand_int

    async def run_remote(self, max_value: int) -> str:
        """A sentence with the number."""
        return f"Hello! You get {await self._rand_int.run_remote(max_value)}."
