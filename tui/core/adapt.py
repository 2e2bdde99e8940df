"""Finding the pace that a server bears: the limit it states, else raised additively and cut multiplicatively (AIMD).

Rate and number at once are two knobs, because "too fast" and "too many at once" need different cures; the verdict of
core/refusals.py says which one to turn. In doubt both are cut: either cure then works, and what was cut for nothing is
raised again, for no refusal speaks against it. Never above the limits that a person gave. Waits for nothing and asks
no clock; whoever calls `look` once a second obeys what it says.

AIMD is Chiu and Jain's (1989). Two things are added, both against refusals that teach nothing: a knob remembers the
value that was last refused, is raised quickly up to just below it and tries it again only after a wait, which doubles
each time in vain (CUBIC's plateau, RFC 9438); and where the server does not say how long to wait, we do.
"""

from dataclasses import dataclass

from tui.core.calls import State
from tui.core.clock import NS_PER_S
from tui.core.figures import exact
from tui.core.ledger import Ledger
from tui.core.refusals import AT_ONCE, QUOTA, TOO_FAST

CUT_RATE, CUT_AT_ONCE = 0.88, 0.8
DEEPEST = 0.5
"""A rate is cut to no less than this part of it at once."""
STEP = 0.04
"""A step up, as a part of the value last refused. More than 3 %, so that a chart is not full of marks."""
LONGEST_STEP = 0.25
"""Where what was refused is borne after all, each step is twice the one before, up to this part of the rate."""
NEAR = 0.98
"""Up to this part of the value last refused, steps are quick."""
QUICK_S = 8
FIRST_PATIENCE_S, LONGEST_PATIENCE_S = 20, 240
BETWEEN_CUTS_S = 5.0
"""What was on its way when a knob was cut says nothing about the cut."""
FITS = 0.8
"""What was let through explains a rate when it is at least this part of it: our own way up to it is in the count."""
FIRST_MINUTE_S = 75.0
"""With the time that the first refusals took."""
MINUTE_S = 60.0
LEAST_SPAN_S = 1.0
"""A shorter one tells of no pace."""
FIRST_HOLD_S, LONGEST_HOLD_S = 1.0, 15.0
LONGEST_RESET_S = 60.0
"""A limit whose allowance takes longer than this to come back is no minute's."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a run stood at one look."""

    at_s: float
    since_s: float
    """For how long requests have been sent, at this look."""
    passed_60s: int
    """Attempts that the server let through in the last 60 s."""
    passed: int = 0
    """In all."""
    passed_at_s: float = float("-inf")
    """When it last let one through."""
    refused: int = 0
    """429s since the last look."""
    cause: str = ""
    """Why, as core/refusals.py judges it; empty without any."""
    refused_in_flight: int | None = None
    """The fewest that were in flight, itself included, when one of them was sent."""
    streaming: int = 0
    """Answers that arrive: so many at once are borne."""
    told_wait: bool = False
    """The server said how long to wait."""
    said_rpm: int | None = None
    """The requests a minute that its headers state."""
    rate_binds: bool = False
    """Calls stand in the limiter's queue, and it is open."""
    slots_bind: bool = False
    """As many are in flight as may be."""
    closed: bool = False
    """Nothing may go at this moment: a cool-down, or a pause."""


def seen(ledger: Ledger, in_limiter: int, looked_at: int, now: int) -> Seen:
    """A run at `now` (ns), of whose refusals `looked_at` were looked at before."""
    fresh = ledger.refusals.total - looked_at
    refusals = ledger.refusals.newest(fresh)
    closed = ledger.phase != "running" or (ledger.lane_closed_until is not None and ledger.lane_closed_until > now)
    said = ledger.allowance
    minutes = said is not None and (said.reset_requests_s is None or said.reset_requests_s <= LONGEST_RESET_S)
    return Seen(
        at_s=now / NS_PER_S,
        since_s=(now - ledger.started_at) / NS_PER_S if ledger.started_at is not None else 0.0,
        passed_60s=ledger.passed.within(now),
        passed=ledger.passed_in_all,
        passed_at_s=ledger.passed_at / NS_PER_S if ledger.passed_at is not None else float("-inf"),
        refused=fresh,
        cause=ledger.refusals.verdict(ledger.rpm, ledger.concurrency).kind if fresh else "",
        refused_in_flight=min((refusal.in_flight for refusal in refusals), default=None),
        streaming=ledger.states[State.STREAMING],
        told_wait=any(refusal.retry_after_s is not None for refusal in refusals),
        said_rpm=said.limit_requests if said is not None and minutes else None,
        # Who is held back by the number at once stands in the limiter too.
        rate_binds=in_limiter > 0 and not closed and ledger.in_flight < ledger.concurrency,
        slots_bind=ledger.in_flight >= ledger.concurrency,
        closed=closed,
    )


@dataclass(frozen=True, slots=True)
class Pace:
    """What to set."""

    rpm: int | None
    """None: hold nothing back."""
    concurrency: int
    hold_s: float = 0.0
    """Send nothing for so long."""


class _Knob:
    """One limit, turned up and down."""

    def __init__(self, value: float | None, most: float | None) -> None:
        self.value = value
        """None: no limit."""
        self.most = most
        self.bad: float | None = None
        """What was last refused; None when that is long gone."""
        self.cut_at_s = float("-inf")
        self.patience_s = FIRST_PATIENCE_S
        self._step = 1.0
        self._calm_s = 0

    def cut(self, to: float, bad: float, at_s: float) -> None:
        """Go down to `to`, for `bad` was refused."""
        tried_in_vain = self.bad is not None and bad > self.bad * (1 - 2 * STEP)
        self.patience_s = min(2 * self.patience_s, LONGEST_PATIENCE_S) if tried_in_vain else FIRST_PATIENCE_S
        self.bad = bad
        self._step = max(1.0, STEP * bad)
        self.value = max(1.0, to)
        self.cut_at_s = at_s
        self._calm_s = 0

    def rise(self) -> None:
        """A second has passed in which it was used to the full and nothing was refused."""
        if self.value is None or (self.most is not None and self.value >= self.most):
            return
        self._calm_s += 1
        up = self.value + self._step
        if self._calm_s < (QUICK_S if self.bad is None or up <= NEAR * self.bad else self.patience_s):
            return
        self._calm_s = 0
        if self.bad is not None and self.value > self.bad * (1 + STEP):
            self.bad, self.patience_s = None, FIRST_PATIENCE_S  # it has been borne: the server's limit has grown
            self._step = max(1.0, STEP * self.value)
        elif self.bad is None and self.cut_at_s > float("-inf"):
            self._step = min(2 * self._step, LONGEST_STEP * self.value)  # how far it has grown, nobody knows
        self.value = up if self.most is None else min(up, self.most)


class Pacer:
    """Decides the pace of one run, look by look."""

    def __init__(self, most_rpm: int | None, most_at_once: int) -> None:
        self._rate = _Knob(most_rpm, most_rpm)
        self._slots = _Knob(most_at_once, most_at_once)
        self._most_rpm = most_rpm
        self._said: int | None = None
        self._hold_s = 0.0
        self._held_at_s = float("-inf")
        self._passed_at_cut = self._open_s = 0
        self._why_rate = "nothing was refused yet" if most_rpm is None else "as fast as was asked"
        self._why_slots = "as many as were asked"

    def look(self, seen: Seen) -> Pace:
        """What to set now. To be called about once a second."""
        if seen.said_rpm is not None and seen.said_rpm != self._said:
            self._take_said(seen.said_rpm)
        self._open_s += not seen.closed
        hold_s = self._refused(seen) if seen.refused else 0.0
        if not seen.refused and not seen.closed:
            if seen.rate_binds:
                self._rate.rise()
            if seen.slots_bind:
                self._slots.rise()
        return Pace(self.rpm, self.concurrency, hold_s)

    def person_set_rate(self, rpm: int | None) -> None:
        """A person has set the rate: it is the most from now on, and where to go on from. None: no limit of ours."""
        self._most_rpm = rpm
        self._rate = _Knob(rpm, rpm)
        self._said = None  # what the server states may be less, and is looked at anew
        self._why_rate = "as was set by hand"

    def person_set_at_once(self, concurrency: int) -> None:
        """A person has set the number at once: it is the most from now on, and where to go on from."""
        self._slots = _Knob(concurrency, concurrency)
        self._why_slots = "as was set by hand"

    @property
    def rpm(self) -> int | None:
        """Requests a minute; None: no limit."""
        return None if self._rate.value is None else int(self._rate.value)

    @property
    def concurrency(self) -> int:
        """Calls at once."""
        assert self._slots.value is not None
        return int(self._slots.value)

    @property
    def belief(self) -> tuple[str, ...]:
        """What is believed, and why: a sentence for each knob."""
        rate = "any pace goes" if self.rpm is None else f"{exact(self.rpm)} requests a minute go"
        return (
            f"{rate}: {self._why_rate}{_patience(self._rate)}",
            f"{exact(self.concurrency)} at once go: {self._why_slots}{_patience(self._slots)}",
        )

    # ── what moves the knobs ───────────────────────────────────────────────────────────────────────────

    def _take_said(self, said: int) -> None:
        self._said = said
        rate, most = self._rate, said if self._most_rpm is None else min(said, self._most_rpm)
        rate.most = most
        rate.value = most if rate.bad is None or rate.value is None else min(rate.value, most)
        self._why_rate = f"the server's headers state a limit of {exact(said)}"

    def _refused(self, seen: Seen) -> float:
        """Cut what was refused; how long to send nothing."""
        if seen.cause == QUOTA:
            return 0.0  # no pace brings a spent quota back
        in_doubt = "" if seen.cause in (TOO_FAST, AT_ONCE) else " (it is unclear of what, so both are cut)"
        if seen.cause != AT_ONCE:
            self._cut_rate(seen, in_doubt)
        if seen.cause != TOO_FAST:
            self._cut_slots(seen, in_doubt)
        if seen.told_wait or seen.closed or seen.cause == AT_ONCE:
            return 0.0  # places at once come back when calls end: nothing need stand still for that
        # Longer each time, until one is let through again.
        again = seen.passed_at_s < self._held_at_s
        self._hold_s = min(2 * self._hold_s, LONGEST_HOLD_S) if again else FIRST_HOLD_S
        self._held_at_s = seen.at_s
        return self._hold_s

    def _cut_rate(self, seen: Seen, in_doubt: str) -> None:
        rate = self._rate
        # A full window refuses everything until it ends, however slow one becomes: no cut on top of the last one then.
        if seen.at_s < rate.cut_at_s + BETWEEN_CUTS_S or seen.passed_at_s < rate.cut_at_s:
            return
        passed = seen.passed_60s * MINUTE_S / min(max(seen.since_s, LEAST_SPAN_S), MINUTE_S)
        bad = passed
        if rate.value is not None and seen.since_s < FIRST_MINUTE_S:
            # Before the first full minute has passed, its count is mostly what a rested server gave at the start.
            lately = (seen.passed - self._passed_at_cut) * MINUTE_S / max(self._open_s, 1)
            passed = max(min(passed, lately), rate.value * DEEPEST / CUT_RATE)
        if rate.value is not None:
            # A little less than the rate is what our own way up to it let through.
            bad = rate.value if passed >= FITS * rate.value else passed
        rate.cut(CUT_RATE * bad, max(1.0, bad), seen.at_s)
        self._passed_at_cut, self._open_s = seen.passed, 0
        self._why_rate = f"refused when {exact(round(passed))} a minute were let through{in_doubt}"

    def _cut_slots(self, seen: Seen, in_doubt: str) -> None:
        slots = self._slots
        if seen.at_s < slots.cut_at_s + BETWEEN_CUTS_S:
            return
        assert slots.value is not None
        # Which one of a burst was refused says little: no fewer than stream at this moment are borne.
        refused = max(seen.streaming + 1, seen.refused_in_flight or 0)
        bad = min(slots.value, refused)
        slots.cut(min(int(CUT_AT_ONCE * bad), slots.value - 1), bad, seen.at_s)
        self._why_slots = f"refused with {exact(int(bad))} in flight{in_doubt}"


def _patience(knob: _Knob) -> str:
    if knob.bad is None or knob.value is None:
        return ""
    return f"; {exact(int(knob.bad))} is tried again after {knob.patience_s:.0f} s without a refusal"
