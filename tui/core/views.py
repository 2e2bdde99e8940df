"""What the views beside the wall show of a run: rows of a table, bars of a waterfall, series of charts, limits.

Values only, parts of a Snapshot. Instants are monotonic nanoseconds, durations nanoseconds; absent is None and is
drawn as a dash. Strings that others had a hand in are clean, and still no markup.
"""

import msgspec

from tui.core.calls import State

VIEWS = ("wall", "table", "charts", "waterfall", "limits")
"""The views, in the order of their keys."""


class Cost(msgspec.Struct, frozen=True):
    """Money in USD, as a decimal string so that nothing is rounded on the way."""

    usd: str | None
    """None: unpriced, drawn `?`, never $0."""
    source: str
    """`billed by usage`, `estimated`, `possibly billed` or `unpriced`: the weakest of its parts."""


UNPRICED = Cost(None, "unpriced")


class GoodputView(msgspec.Struct, frozen=True):
    """How many calls met every stated objective. Warm-up calls are in none of it."""

    objectives: str
    """As people read them: `ttft ≤ 500 ms, tpot ≤ 50 ms`."""
    met: int
    ended: int
    """Ended in whatever state: an answer that never came met nothing."""
    share: float | None
    """`met` of `ended`, 0 to 1; None before the first has ended."""


# ── table ──────────────────────────────────────────────────────────────────────────────────────────────


class CallRow(msgspec.Struct, frozen=True):
    """One call, as a row of the table shows it."""

    call: int
    state: State
    model: str
    prompt: str
    """The start of the prompt, on one line."""
    queue_ns: int | None = None
    """Due to admitted; None until then."""
    attempts: int = 0
    status: int | None = None
    """HTTP status of its newest attempt."""
    ttft_ns: int | None = None
    ttft_mark: str = ""
    """As in `Pane`."""
    tokens_per_s: float | None = None
    """Of the whole stream so far: (n - 1) / (last token - first token)."""
    tokens: int = 0
    tokens_estimated: bool = True
    cost: Cost = UNPRICED
    total_ns: int = 0
    """Since it was due, until its end or now."""
    error: str | None = None
    warmup: bool = False
    retry_of: int | None = None
    """The failed call that it was asked to do again."""


# ── waterfall ──────────────────────────────────────────────────────────────────────────────────────────


class Span(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of a call's life."""

    kind: str
    """`queue` (due, not yet taken up), `limiter`, `connect` (sent, request not yet written), `wait` (for the first
    token), `stream` (first to last token), `tail` (last token to the attempt's end) or `backoff`."""
    start_at: int
    end_at: int | None
    """None: it lasts."""
    attempt: int = 0
    """Which attempt it belongs to, from 1; 0 before the first."""


class TryEnd(msgspec.Struct, frozen=True, array_like=True):
    """An attempt that failed, at its instant."""

    at: int
    attempt: int
    status: int | None
    """429 is marked as such; None where no status came."""
    error: str


class Bar(msgspec.Struct, frozen=True):
    """One call, as a row of the waterfall shows it."""

    call: int
    state: State
    model: str
    prompt: str
    due_at: int
    ended_at: int | None
    spans: list[Span] = []
    """In order of time, without gaps but those in which nothing was known."""
    failures: list[TryEnd] = []
    warmup: bool = False


# ── charts ─────────────────────────────────────────────────────────────────────────────────────────────


class Marker(msgspec.Struct, frozen=True, array_like=True):
    """Something that was changed in the middle of a run."""

    at: int
    what: str
    """`RPM 120 → 132`, `8 → 16 at once`, `paused`, …"""


class LimitStep(msgspec.Struct, frozen=True, array_like=True):
    """The limits from an instant on."""

    at: int
    rpm: int | None
    tpm: int | None
    concurrency: int


class Bin(msgspec.Struct, frozen=True, array_like=True):
    """How many values a stretch of a histogram holds: `low` ≤ value < `high` (ns)."""

    low: int
    high: int
    n: int


class Timeline(msgspec.Struct, frozen=True):
    """A whole run in at most 300 steps of equal width, oldest first; the last one still grows.

    Every series has one value a step. Counts are of the step itself, not per second or minute.
    """

    start_at: int
    width_ns: int
    """A second at first; it doubles whenever the run outgrows the steps."""
    attempts: list[int] = []
    http_429: list[int] = []
    errors: list[int] = []
    """Failed attempts other than 429."""
    tokens: list[float] = []
    """Completion tokens that arrived; an estimate from characters."""
    ttft_p50: list[int | None] = []
    ttft_p95: list[int | None] = []
    active: list[float] = []
    """Attempts on the wire, mean over the step."""
    queued: list[float] = []
    """Calls that wait (for the limiter, or between attempts), mean over the step."""
    cost_usd: list[float | None] = []
    """Dollars that ended attempts cost; None while no price is known."""
    limits: list[LimitStep] = []
    markers: list[Marker] = []
    ttft_bins: list[Bin] = []
    """All TTFTs of the run, in bins of equal ratio, ascending; empty ones inside are there."""


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────


class Meter(msgspec.Struct, frozen=True):
    """One kind of allowance (requests, or tokens) seen from both sides."""

    limit: int | None = None
    """Ours, per minute; None: we hold nothing back."""
    used_60s: int = 0
    peak_60s: int = 0
    level: float | None = None
    """How much our bucket would let go at this instant; None without one."""
    size: float | None = None
    """How much it would when rested."""
    per_minute_now: float = 0.0
    """The pace of the last ten seconds, per minute."""
    eta_ns: int | None = None
    """Until `used_60s` reaches our limit (or the server's, where we have none) at that pace; None: it will not."""
    server_limit: int | None = None
    server_remaining: int | None = None
    server_reset_at: int | None = None
    """When the server said that the allowance is whole again."""
    server_said_at: int | None = None
    """When it last said anything; None: never."""


class Refusal(msgspec.Struct, frozen=True):
    """One 429, and how things stood when its request was sent."""

    at: int
    call: int
    message: str
    retry_after_s: float | None
    in_flight: int
    """Attempts on the wire, this one included."""
    attempts_60s: int
    """Attempts sent in the 60 s before it, itself included."""


class Verdict(msgspec.Struct, frozen=True):
    """Why the server refuses, as far as one can tell."""

    kind: str = "none"
    """`none` (no refusals), `too fast` (rate), `too many at once` (concurrency), `quota` or `unclear`."""
    evidence: list[str] = []
    """Sentences with figures, the strongest first."""


class LimitsView(msgspec.Struct, frozen=True):
    """Everything the run knows about limits."""

    requests: Meter = Meter()
    tokens: Meter = Meter()
    in_limiter: int = 0
    """Calls that stand in the limiter's queue."""
    in_flight: int = 0
    in_flight_peak: int = 0
    concurrency: int = 1
    refusals: list[Refusal] = []
    """The newest twenty, newest first."""
    refused: int = 0
    """429s in all."""
    verdict: Verdict = Verdict()
    belief: list[str] = []
    """With `--adapt`: what the run believes of the server's limits, and why; sentences. Empty without it."""
