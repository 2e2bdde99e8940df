"""What the screen may ask of a run. Imperative; the engine obeys or says why not."""

import msgspec


class Command(msgspec.Struct, frozen=True, tag=True):
    """Something the screen asks for."""


class Watch(Command, frozen=True):
    """This is what I show; send that and nothing else."""

    view: str = "wall"
    """One of `core.views.VIEWS`."""
    first: int = 0
    """Index of the first entry shown, of the view's list."""
    count: int = 16
    """How many entries fit."""
    follow: bool = False
    """The window is the end of the list, wherever that is; `first` is not looked at."""
    order: str = "place"
    """Of the wall: `place` (a running call never moves), `newest`, `slowest` or `failing`. Of table and waterfall: a
    column of `core.ordering.COLUMNS`; what the other views may ask is not looked at."""
    descending: bool = False
    everything: bool = False
    """Wall only. False: the running calls, ended ones while there is room. True: every call."""
    query: str = ""
    """The filter as it was typed; see core/query.py."""
    tail_chars: int = 600
    """How much of each text's end can be seen."""
    focus: int | None = None
    """The call that is open in full."""
    focus_tail: int | None = None
    """How much of its text's end to send; None: all of it."""
    focus_request: bool = False
    """Send its request too."""


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


class RetryCall(Command, frozen=True):
    """Do a call again that ended without its answer, as a new call."""

    call: int


class RetryFailed(Command, frozen=True):
    """Do all of them again that have not been done again yet."""


class RaiseBudget(Command, frozen=True):
    """Let a batch spend more."""

    limit_usd: str
    """In all, in USD, as it was typed."""


class Seek(Command, frozen=True):
    """Go on from another moment of a replay."""

    by_s: float
    """Seconds of the run from where it stands; below 0: back."""


class ChangeSpeed(Command, frozen=True):
    """Play a replay faster, or slower."""

    by: float
    """Times as fast as now, above 0: 2 or 0.5."""


class Export(Command, frozen=True):
    """Write the calls that pass a filter to a file beside the record, in this order."""

    format: str
    """`csv` or `jsonl`."""
    query: str = ""
    order: str = "id"
    descending: bool = False


class SaveCall(Command, frozen=True):
    """Write a call's prompt, answer and figures to a file beside the record."""

    call: int


class SaveScreenshot(Command, frozen=True):
    """Write a picture of the screen to a file beside the record."""

    svg: str


AnyCommand = (
    Watch | Pause | Resume | Drain | Stop | Close | CancelCall | SetRate | SetConcurrency
    | RetryCall | RetryFailed | RaiseBudget | Seek | ChangeSpeed | Export | SaveCall | SaveScreenshot
)  # fmt: skip
