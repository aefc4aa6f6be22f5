"""What the supervisor needs to know of anything it runs, engine or process."""

from collections.abc import Sequence
from typing import Protocol

from cairn.stack.child import Launch


class Runnable(Protocol):
    """Something with a process: prepared once, launched, checked until it answers."""

    @property
    def name(self) -> str: ...

    @property
    def port_names(self) -> Sequence[str]:
        """The ports it listens on, by their names in `ports.NAMES`."""
        ...

    @property
    def ready_seconds_max(self) -> float: ...

    async def prepare(self) -> None:
        """Lay out data and configuration; does nothing the second time."""
        ...

    def launch(self) -> Launch: ...

    async def check(self) -> None:
        """Return when it answers a real question; raise anything while it does not."""
        ...
