"""Time, sleep and chance, in one object that is passed down, so that tests neither wait nor flake."""

import random
import time


class Clock:
    """The real thing. Seconds everywhere."""

    def now(self) -> float:
        """Monotonic seconds: only differences mean anything."""
        return time.monotonic()

    def real(self, seconds: float) -> float:
        """How long `seconds` are for a socket, which knows no other clock than the machine's."""
        return seconds

    def epoch_millis(self) -> int:
        """Milliseconds since 1970, as log queries count."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Wait. A signal's exception ends it early."""
        time.sleep(max(0.0, seconds))

    def chance(self) -> float:
        """A number in [0, 1): the jitter of retries."""
        return random.random()  # noqa: S311 - jitter, not cryptography
