"""Weir's own errors. Each carries what its handler needs: what was wrong, where, and what to do."""


class WeirError(Exception):
    """Root of everything Weir raises on purpose."""


class UsageError(WeirError):
    """A flag, file or setting that cannot be used; exit code 2.

    `where` names the flag or `file:line`, `what` says what is wrong, `hint` says what to do.
    """

    def __init__(self, where: str, what: str, hint: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
        self.hint = hint


class RecordError(WeirError):
    """The run's record could not be written (disk full, folder gone); dispatch stops."""


class CallError(WeirError):
    """A call ended without its full answer; raised by the library, never inside the engine.

    `state` is the terminal state (`failed`, `broken`, `cancelled`, `refused`).
    """

    def __init__(self, state: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.status = status
