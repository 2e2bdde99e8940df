"""What the screen may ask of a run. Imperative; the engine obeys or says why not."""

import msgspec


class Command(msgspec.Struct, frozen=True, tag=True):
    """Something the screen asks for."""


class Watch(Command, frozen=True):
    """These are the calls I show; send their text and nothing else's."""

    first: int = 0
    """Index of the first place shown."""
    count: int = 16
    """How many places fit."""
    tail_chars: int = 600
    """How much of each text's end can be seen."""
    focus: int | None = None
    """The call that is open in full."""
    everything: bool = False
    """False: a place per running call, ended ones making room. True: every call, in order of its number."""


class Pause(Command, frozen=True):
    """Dispatch nothing more for now; running streams go on."""


class Resume(Command, frozen=True):
    """Dispatch again."""


class Drain(Command, frozen=True):
    """Dispatch nothing more; let running streams end."""


class Stop(Command, frozen=True):
    """Cancel whatever still runs."""


class Close(Command, frozen=True):
    """The screen goes away; the run goes on without one."""


class CancelCall(Command, frozen=True):
    """Cancel one call."""

    call: int


class SetRate(Command, frozen=True):
    """Requests per minute from now on; None lifts the limit."""

    rpm: int | None


class SetConcurrency(Command, frozen=True):
    """Streams at once from now on (1 or more)."""

    concurrency: int


AnyCommand = Watch | Pause | Resume | Drain | Stop | Close | CancelCall | SetRate | SetConcurrency
