"""What anyone may see of a run at one instant. Screen, headless progress and replay draw from this alone.

All instants are monotonic nanoseconds, all durations nanoseconds unless named otherwise. Absent is None and
is drawn as a dash. Every string that a model, server or file had a hand in has been through
`core.untrusted.clean`; it still is not markup and must not be read as such.
"""

import msgspec

from tui.core.batch_view import BatchView, FamilyView
from tui.core.calls import State
from tui.core.commands import Watch
from tui.core.views import UNPRICED, Bar, CallRow, Cost, GoodputView, LimitsView, Timeline


class Spread(msgspec.Struct, frozen=True):
    """A distribution in a few figures (ns)."""

    n: int
    p50: int
    p95: int
    p99: int
    max: int


class RunView(msgspec.Struct, frozen=True):
    """The run itself, as it stands."""

    job: str
    """`load`, `demo`, …"""
    model: str
    endpoint: str
    """Host and path of the API, without secrets."""
    started_at: int
    phase: str
    """`running`, `paused`, `draining` or `finished`."""
    ended_at: int | None = None
    planned: int | None = None
    """Calls in all, when known (warm-up included)."""
    deadline_at: int | None = None
    """When dispatch stops, for a run of a given duration."""
    concurrency: int = 1
    replay: bool = False
    """It is played again from its record: nothing is sent, nothing can be steered but the playing."""
    rpm_limit: int | None = None
    tpm_limit: int | None = None
    record: str | None = None
    """The run folder; None when nothing is saved."""
    notice: str | None = None
    """The latest thing people should read."""
    notices: int = 0
    """How many there were, so that a screen can tell a new one."""


class Counts(msgspec.Struct, frozen=True):
    """Calls by state."""

    queued: int = 0
    waiting: int = 0
    connecting: int = 0
    streaming: int = 0
    backing_off: int = 0
    done: int = 0
    failed: int = 0
    broken: int = 0
    cancelled: int = 0
    refused: int = 0

    @property
    def running(self) -> int:
        """Calls that have begun and not ended."""
        return self.queued + self.waiting + self.connecting + self.streaming + self.backing_off

    @property
    def ended(self) -> int:
        """Calls in a terminal state."""
        return self.done + self.failed + self.broken + self.cancelled + self.refused


class Pane(msgspec.Struct, frozen=True):
    """One call, as a pane shows it."""

    call: int
    state: State
    model: str
    prompt: str
    """The start of the prompt, on one line."""
    text: str = ""
    """The end of its text, at most `Watch.tail_chars` characters."""
    text_end: int = 0
    """Characters of its text so far; `text` is the slice that ends there. A new attempt restarts at 0."""
    attempt: int = 0
    """Attempts sent so far."""
    retries: int = 0
    ttft_ns: int | None = None
    ttft_mark: str = ""
    """`shared`: the first token's read held further text, so that TTFT is an upper bound; `late`: its stamp
    was late by more than 5 %; else empty."""
    waited_ns: int = 0
    """Since it was due, until its first token, or its end, or now."""
    tokens: int = 0
    tokens_estimated: bool = True
    """Drawn `~`: not (yet) the server's own count."""
    tokens_per_s: float | None = None
    """Live: over the last 2 s. Ended: (n - 1) / (last token - first token)."""
    quiet_ns: int | None = None
    """While streaming: time since the last text; a stall shows here."""
    backoff_until: int | None = None
    cost: Cost = UNPRICED
    error: str | None = None
    finish_reason: str | None = None
    warmup: bool = False


class AttemptView(msgspec.Struct, frozen=True):
    """One HTTP try of the call that is open in full (durations since its `sent_at`)."""

    number: int
    sent_after_ns: int
    """Since the call was due."""
    written_ns: int | None = None
    headers_ns: int | None = None
    first_token_ns: int | None = None
    last_token_ns: int | None = None
    ended_ns: int | None = None
    status: int | None = None
    error: str | None = None
    request_id: str | None = None
    limiter_ns: int | None = None
    """How long it stood in the limiter's queue before it was sent."""
    retry_after_s: float | None = None
    """What a refusal asked to wait."""
    headers: list[tuple[str, str]] = []
    """Of the response, secrets masked; gone with the text of calls long ended."""


class FullCall(msgspec.Struct, frozen=True):
    """The call that is open in full."""

    pane: Pane
    """Its `text` is the whole text, or its last 200,000 characters."""
    prompt: str
    attempts: list[AttemptView]
    queue_ns: int | None = None
    ttfa_ns: int | None = None
    """Sent to the first *content*; None where the model did not reason first."""
    chunks: int = 0
    largest_gap_ns: int | None = None
    prompt_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    bursts: int = 0
    """How many times text came after a pause of 50 ms or more, the first time included."""
    buffered: str | None = None
    """Why it looks as if something upstream held the stream back; None: it does not."""
    bar: Bar | None = None
    """Its life on the time axis."""
    family: FamilyView | None = None
    """In a batch: the calls of its document, where there are several."""
    request: str | None = None
    """The request as a `curl` command, with `$OPENAI_API_KEY` for the key; when `Watch.focus_request`."""


class Snapshot(msgspec.Struct, frozen=True):
    """A run at one instant."""

    at: int
    run: RunView
    counts: Counts = Counts()
    attempts: int = 0
    retries: int = 0
    http_429: int = 0
    unanswered: int = 0
    """Failed and broken calls that have not been done again: what "retry all" would do."""
    attempts_60s: int = 0
    """RPM used: attempts sent in the last 60 s."""
    attempts_by_second: list[int] = []
    """The last 60 s, oldest first."""
    tokens_60s: int = 0
    tokens: int = 0
    """Completion tokens so far, of all attempts."""
    tokens_estimated: bool = False
    tokens_per_s: float = 0.0
    """Of all streams, over the last 2 s; over the whole run once it has ended."""
    tokens_by_second: list[int] = []
    """The last 60 s, oldest first."""
    ttft: Spread | None = None
    ttft_by_second: list[int | None] = []
    """Median TTFT of the calls whose first token came in that second, last 60 s, oldest first."""
    lag: Spread | None = None
    """How late the engine's loop ran its timers: the client's own error where there is no kernel stamp."""
    late: int = 0
    """First tokens whose stamp was late by more than 5 % of their TTFT."""
    shared: int = 0
    """First tokens whose read held further text."""
    dispatch_error: Spread | None = None
    """How late scheduled calls were sent for which a slot stood ready; None without a schedule."""
    overdue: int = 0
    """Calls that the schedule wants by now and that no slot has taken up yet; 0 without a schedule."""
    frames_dropped: int = 0
    cost: Cost = UNPRICED
    goodput: GoodputView | None = None
    """None: no objectives are stated."""
    batch: BatchView | None = None
    """Of a batch: its documents, and its money."""
    lane_closed_until: int | None = None
    lane_closed_why: str | None = None
    calls: int = 0
    """Calls begun so far."""
    watch: Watch = Watch()
    """What this picture was asked to show; one from before the last question is told by it."""
    listed: int = 0
    """Entries of the list that the view is a window on: places, or calls that pass the filter."""
    first: int = 0
    """The index in that list of the first one in the window."""
    query_error: str | None = None
    """Why the filter cannot be read; then it filters nothing."""
    panes: list[Pane] = []
    """The window of the wall."""
    rows: list[CallRow] = []
    """The window of the table."""
    bars: list[Bar] = []
    """The window of the waterfall."""
    timeline: Timeline | None = None
    """For the charts."""
    limits: LimitsView | None = None
    focus: FullCall | None = None


__all__ = ["UNPRICED", "AttemptView", "Cost", "Counts", "FullCall", "Pane", "RunView", "Snapshot", "Spread"]
