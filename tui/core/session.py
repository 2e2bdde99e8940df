"""The one seam between a run and whoever shows it."""

from typing import Protocol

from tui.core.commands import AnyCommand
from tui.core.snapshot import Snapshot


class Session(Protocol):
    """A run that can be looked at and steered. A live engine, a replay and a test's fake all are one."""

    @property
    def latest(self) -> Snapshot | None:
        """The newest picture; None before the first one."""

    def send(self, command: AnyCommand) -> None:
        """Ask for something. Never waits; asking a run that has gone is no error."""
