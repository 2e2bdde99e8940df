"""What is said about limits, in sentences: what lies ahead, what a verdict means, what to do. Plain words only.

Each sentence comes in several lengths, the longest first, for panels of any width.
"""

from typing import NamedTuple

from tui.core import figures
from tui.core.clock import NS_PER_S
from tui.core.views import Meter, Verdict
from tui.dashboard.theme import Ink

MINUTE_NS = 60 * NS_PER_S
NEAR = 0.95
"""The share of a limit from which on it is pointed out."""


class Kind(NamedTuple):
    """The name of what is limited, and where its limit is set."""

    title: tuple[str, ...]
    strip: str
    """What the strip of sixty seconds shows, as a label."""
    set_one: tuple[str, ...]
    oldest: tuple[str, ...]
    """What is said of the strip's old end."""
    ink: Ink


class Moment(NamedTuple):
    """What a panel says depends on, besides its meter."""

    now: int
    """In the snapshot's time."""
    age_ns: int
    """Of the figures."""
    held: int
    """Calls in the limiter's queue."""
    finished: bool
    closed_ns: int = 0
    """How much longer a cool-down lets nothing go."""


REQUESTS = Kind(
    ("Requests per minute", "Requests"),
    "sent",
    ("no limit of ours: set one with :rpm 120", "no limit: :rpm 120 sets one", "no limit"),
    ("60 s ago, leaves next", "60 s ago", ""),
    "blue",
)
TOKENS = Kind(
    ("Tokens per minute", "Tokens"),
    "arrived",
    ("no limit of ours: --tpm sets one at the start", "no limit: --tpm sets one", "no limit"),
    # Not "leaves next": the window holds what calls may use, reserved when they were sent.
    ("60 s ago", ""),
    "accent",
)


class Said(NamedTuple):
    """A sentence in several lengths, and its ink."""

    lengths: tuple[str, ...]
    ink: Ink


def share_of_limit(meter: Meter) -> float | None:
    """How much of our limit is used; None without one."""
    return meter.used_60s / meter.limit if meter.limit else None


def ahead(meter: Meter, kind: Kind, moment: Moment) -> Said:
    """Whether and when the limit will be reached."""
    held = moment.held
    if moment.finished:
        return Said(("the run has ended",), "dim")
    if moment.closed_ns > 0 and kind is REQUESTS:
        left = figures.countdown(moment.closed_ns)
        return Said((f"cooling down: nothing goes for {left}", f"nothing goes for {left}", f"closed {left}"), "amber")
    ours = meter.limit is not None
    if not ours and not _is_a_minutes(meter):
        return _left_at_this_pace(meter, kind, moment)
    limit = meter.limit if ours else meter.server_limit
    if limit is None:
        return Said(kind.set_one, "dim")
    if meter.used_60s >= limit:
        if ours and held:
            n = figures.count(held)
            calls = f"{n} call" if held == 1 else f"{n} calls"
            long = f"at the limit: the limiter holds {calls} back"
            return Said((long, f"at the limit: {n} held back", "at the limit"), "amber")
        whose = "the limit" if ours else "the server's limit"
        return Said((f"at {whose}", "at the limit"), "amber")
    if meter.eta_ns is not None:
        left = figures.countdown(max(0, meter.eta_ns - moment.age_ns))
        if ours:
            return Said((f"reaches the limit in {left}", f"limit in {left}", left), "bright")
        return Said((f"reaches the server's limit in {left}", f"server's limit in {left}", left), "bright")
    if meter.per_minute_now <= 0:
        return Said(("stays below: nothing comes now", "stays below"), "soft")
    whose = "" if ours else " the server's"
    return Said((f"stays below{whose} at this pace", "stays below at this pace", "stays below"), "soft")


def _is_a_minutes(meter: Meter) -> bool:
    """Whether the server's limit may be one a minute: some state a day's, whose reset is further away."""
    at, said_at = meter.server_reset_at, meter.server_said_at
    return at is None or said_at is None or at - said_at <= MINUTE_NS


def _left_at_this_pace(meter: Meter, kind: Kind, moment: Moment) -> Said:
    """How long the rest of a limit lasts that is not a minute's: how much of it was used, nobody here has counted."""
    left, reset_at, said_at = meter.server_remaining, meter.server_reset_at, meter.server_said_at
    if left is None or reset_at is None or said_at is None or moment.now >= reset_at:
        return Said(kind.set_one, "dim")
    n = figures.count(left)
    if left <= 0:
        return Said(("the server has none left until the reset", "none left until the reset", "none left"), "amber")
    if meter.per_minute_now <= 0:
        return Said((f"{n} left: nothing comes now", f"{n} left"), "soft")
    lasts_ns = left / meter.per_minute_now * MINUTE_NS - (moment.now - said_at)
    if lasts_ns >= reset_at - moment.now:
        enough = f"{n} left: enough until the reset"
        return Said((f"{enough} at this pace", enough, f"{n} left: enough", f"{n} left"), "soft")
    lasts = figures.countdown(max(0, round(lasts_ns)))
    return Said((f"{n} left: {lasts} at this pace", f"{n} left: {lasts}", f"{n} left"), "bright")


class Judgement(NamedTuple):
    """How a verdict looks: a glyph, a few words, an ink, and what to do about it."""

    glyph: str
    words: str
    ink: Ink
    advice: str | None


def judgement(verdict: Verdict, rpm_limit: int | None) -> Judgement | None:
    """What `verdict` means; None for a kind that this version does not know."""
    if verdict.kind == "too fast":
        how = "lower the rate with [ or :rpm N" if rpm_limit is not None else "limit the rate with :rpm N"
        return Judgement("»", "too fast", "amber", how)
    return {
        "none": Judgement("✓", "no refusals", "green", None),
        "too many at once": Judgement("≡", "too many at once", "amber", "lower concurrency with { or :concurrency N"),
        "quota": Judgement("⊘", "quota", "red", "the account's quota is used up: waiting will not help"),
        "unclear": Judgement("?", "unclear", "amber", None),
    }.get(verdict.kind)
