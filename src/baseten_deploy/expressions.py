"""Regular expressions that are compiled when one is first used: a run needs a third of those that it loads.

Python compiles some ten in a millisecond, and by its first request a run has loaded sixty of this action's.
"""

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    expression = re.compile  # type checkers see the original
else:

    class _Expression:
        def __init__(self, text: str | bytes, flags: int) -> None:
            self._text, self._flags = text, flags

        def __getattr__(self, name: str) -> Any:
            """What `re.Pattern` has of this name; the next time it is found at once."""
            found = getattr(re.compile(self._text, self._flags), name)
            setattr(self, name, found)
            return found

        def __repr__(self) -> str:
            return repr(re.compile(self._text, self._flags))

    def expression(text: str | bytes, flags: int = 0) -> _Expression:
        """As `re.compile`, later: for what a module defines. A mistake in it shows when it is used, so test that."""
        return _Expression(text, flags)
