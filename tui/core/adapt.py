"""Finding the pace that a server bears: the limit it states, else a slow start, then up bit by bit and down on a 429.

Rate and number at once are two knobs, because "too fast" and "too many at once" need different cures; the verdict of
core/refusals.py says which one to turn. In doubt both are cut: either cure then works, and what was cut for nothing is
raised again, for no refusal speaks against it. Never above the limits that a person gave. Waits for nothing and asks
no clock; whoever calls `look` many times a second obeys what it says.

A call has few attempts, and learning must not use them up. So the start is slow, what is refused closes the limiter
for a while, and the pace that the server bears is reckoned from the refusals themselves: a token bucket was empty at
each of them, so that what it let through between two of them is its refill; a window had let its limit through.
"""

from dataclasses import dataclass

from tui.core.adapt_knob import Knob, SlowStart
from tui.core.adapt_seen import NEVER, Seen
from tui.core.figures import exact
from tui.core.refusals import AT_ONCE, QUOTA, TOO_FAST

RATE_START = SlowStart(first=120, doubles_to=600, calm_s=1.0)
AT_ONCE_START = SlowStart(first=2, doubles_to=float("inf"), calm_s=0.0)
CUT_RATE, CUT_AT_ONCE = 0.88, 0.8
FITS = 0.8
"""What was let through explains a rate when it is at least this part of it: our own way up to it is in the count."""
AGREE = 0.6
"""Two counts that say the same of the server's pace differ by no more than this."""
FEW, ENOUGH = 4, 8
"""Of attempts let through, before their count tells of a pace: where another sign says the same, and without one."""
CLOSED = 0.3
"""A bucket may run full while nothing is sent: what it let through tells all only if that was a smaller part."""
LEARNING_S = 75.0
"""Before the first full minute has passed, its count is mostly what a rested server gave at the start."""
MINUTE_S = 60.0
LEAST_SPAN_S = 0.5
"""A shorter one tells of no pace."""
ENOUGH_SPAN_S = 5.0
LEARNING_HOLD_S = 1.0
FIRST_HOLD_S, LONGEST_HOLD_S = 1.0, 15.0
HOLD_GROWS = 4.0
"""A window may refuse everything for a minute, and each look whether it still does costs a call one of its attempts."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What to set."""

    rpm: int | None
    """None: hold nothing back."""
    concurrency: int
    hold_s: float = 0.0
    """Send nothing for so long."""
    tpm: int | None = None
    """None: the server states no limit on tokens."""


class Pacer:
    """Decides the pace of one run, look by look."""

    def __init__(self, most_rpm: int | None, most_at_once: int) -> None:
        # A rate that a person names is taken at its word; how many at once are borne is never known before.
        self._rate = Knob(most_rpm, most_rpm, RATE_START if most_rpm is None else None)
        self._slots = Knob(most_at_once, most_at_once, AT_ONCE_START)
        self._most_rpm = most_rpm
        self._said: int | None = None
        self._said_tpm: int | None = None
        self._looked_at_s: float | None = None
        self._hold_s = 0.0
        self._held_at_s = NEVER
        self._passed_at_rise = 0
        self._passed_at_full: int | None = None
        """How many had been let through when as many as may be were in flight for the first time."""
        self._empty_at_s = NEVER
        """A refusal from which on what is let through is counted, …"""
        self._sent_at_empty = self._refused_since_empty = 0
        self._closed_s, self._slowest = 0.0, float("inf")
        self._sent_at_cut = self._refused_since_cut = self._passed_60s_at_cut = 0
        self._cut_to: float | None = None
        self._windowed = False
        """The server counts by the minute, and then refuses everything for a while."""
        self._why_rate = "nothing was refused yet" if most_rpm is None else "as fast as was asked"
        self._why_slots = "nothing was refused yet" if self._slots.starting else "as many as were asked"

    def look(self, seen: Seen) -> Pace:
        """What to set now. To be called many times a second."""
        passed_s = 0.0 if self._looked_at_s is None else seen.at_s - self._looked_at_s
        self._looked_at_s = seen.at_s
        self._closed_s += passed_s * seen.closed
        self._slowest = min(self._slowest, self._rate.value or float("inf"))
        if seen.said_rpm is not None and seen.said_rpm != self._said:
            self._take_said(seen.said_rpm)
        self._said_tpm = seen.said_tpm if seen.said_tpm is not None else self._said_tpm
        hold_s = 0.0
        if seen.refused_sent_at_s:
            hold_s = self._refused(seen)
        elif not seen.closed:
            self._rise(seen, passed_s)
        return Pace(self.rpm, self.concurrency, hold_s, self._said_tpm)

    def person_set_rate(self, rpm: int | None) -> None:
        """A person has set the rate: it is the most from now on, and where to go on from. None: no limit of ours."""
        self._most_rpm = rpm
        self._rate = Knob(rpm, rpm)
        self._said = None  # what the server states may be less, and is looked at anew
        self._why_rate = "as was set by hand"

    def person_set_at_once(self, concurrency: int) -> None:
        """A person has set the number at once: it is the most from now on, and where to go on from."""
        self._slots = Knob(concurrency, concurrency)
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
        found = [
            f"{rate}: {self._why_rate}{_next(self._rate, 'a faster pace')}",
            f"{exact(self.concurrency)} at once go: {self._why_slots}{_next(self._slots, 'more at once')}",
        ]
        if self._said_tpm is not None:
            found.append(f"{exact(self._said_tpm)} tokens a minute go: the server's headers state that limit")
        return tuple(found)

    # ── up ─────────────────────────────────────────────────────────────────────────────────────────────

    def _rise(self, seen: Seen, passed_s: float) -> None:
        if seen.rate_binds:
            self._rise_rate(seen, passed_s)
        if seen.slots_bind:
            self._rise_slots(seen, passed_s)

    def _rise_rate(self, seen: Seen, passed_s: float) -> None:
        rate, before = self._rate, self._rate.value
        # A pace that no answer has come to yet is not known to be borne.
        due = 0.0 if before is None else before / MINUTE_S * RATE_START.calm_s / 2
        rate.rise(passed_s, borne=not rate.starting or seen.passed - self._passed_at_rise >= due)
        if rate.value != before:
            self._passed_at_rise = seen.passed

    def _rise_slots(self, seen: Seen, passed_s: float) -> None:
        slots, before = self._slots, self._slots.value
        assert before is not None
        if self._passed_at_full is None:
            self._passed_at_full = seen.passed
        borne = seen.streaming >= int(before) or seen.passed - self._passed_at_full >= before
        slots.rise(passed_s, borne=borne or not slots.starting)
        if slots.value != before:
            self._passed_at_full = None
            if slots.value == slots.most:
                slots.settle()
                self._why_slots = "as many as were asked, for no refusal speaks against it"

    def _take_said(self, said: int) -> None:
        self._said = said
        most = said if self._most_rpm is None else min(said, self._most_rpm)
        self._rate.most = most
        self._rate.settle()
        self._rate.value = most
        self._why_rate = f"the server's headers state a limit of {exact(said)}"

    # ── down ───────────────────────────────────────────────────────────────────────────────────────────

    def _refused(self, seen: Seen) -> float:
        """Cut what was refused; how long to send nothing."""
        if seen.cause == QUOTA:
            return 0.0  # no pace brings a spent quota back
        in_doubt = "" if seen.cause in (TOO_FAST, AT_ONCE) else " (it is unclear of what, so both are cut)"
        learns = False
        if seen.cause != AT_ONCE:
            learns = self._cut_rate(seen, in_doubt) and seen.since_s < LEARNING_S
        if seen.cause != TOO_FAST:
            self._cut_slots(seen, in_doubt)
        if seen.cause == AT_ONCE:
            return 0.0  # places at once come back when calls end: nothing need stand still for that
        if learns:  # what a bucket refills meanwhile tells of its pace, even where it asks for a shorter wait
            self._hold_s, self._held_at_s = LEARNING_HOLD_S, seen.at_s
            return LEARNING_HOLD_S
        if seen.told_wait_s is not None or seen.closed:
            return 0.0
        # Longer each time, until one is let through again.
        again = seen.passed_at_s < self._held_at_s
        self._hold_s = min(HOLD_GROWS * self._hold_s, LONGEST_HOLD_S) if again else FIRST_HOLD_S
        self._held_at_s = seen.at_s
        return self._hold_s

    def _cut_rate(self, seen: Seen, in_doubt: str) -> bool:
        """Cut the rate, if these refusals speak against the one in force; whether they do."""
        rate = self._rate
        late = [at_s for at_s in seen.refused_sent_at_s if at_s > rate.cut_at_s]
        self._refused_since_cut += len(late)
        self._refused_since_empty += len(late)
        # A full window refuses everything until it ends, however slow one becomes: no cut on top of the last one then.
        if not late:
            return False
        if seen.passed_at_s < rate.cut_at_s or seen.sent - self._sent_at_cut <= self._refused_since_cut:
            self._shut(seen)
            return False
        if seen.told_wait_s is not None and _is_shut(seen.told_wait_s, seen.passed_60s):
            self._counts_minutes()
        bad, to = self._borne(seen)
        if to < CUT_RATE * bad * FITS:
            self._why_rate = f"{exact(int(bad))} were refused, and what is borne lies between that and what went before"
        else:
            self._why_rate = f"refused when {exact(round(bad))} a minute were let through"
        self._why_rate += in_doubt
        rate.cut(to, max(1.0, bad), seen.at_s)
        self._passed_60s_at_cut, self._cut_to = seen.passed_60s, rate.value
        self._sent_at_cut, self._refused_since_cut = seen.sent, 0
        if seen.at_s > self._empty_at_s + ENOUGH_SPAN_S:
            self._empty_at_s, self._sent_at_empty, self._refused_since_empty = seen.at_s, seen.sent, 0
            self._closed_s, self._slowest = 0.0, to
        return True

    def _shut(self, seen: Seen) -> None:
        """Nothing has been let through since the last cut. A bucket would have: it is a window that is full."""
        rate, passed = self._rate, self._passed_60s_at_cut
        if self._windowed or not _is_shut(seen.at_s - rate.cut_at_s, passed):
            return
        self._counts_minutes()
        if rate.value is not None and CUT_RATE * passed < rate.value:
            rate.cut(CUT_RATE * passed, max(1.0, passed), rate.cut_at_s)
            self._why_rate = f"refused when {exact(passed)} had been let through in a minute"

    def _counts_minutes(self) -> None:
        self._windowed = True
        self._rate.proof_s = MINUTE_S

    def _borne(self, seen: Seen) -> tuple[float, float]:
        """The rate that these refusals speak against, and what to go down to."""
        rate, value = self._rate, self._rate.value
        passed = seen.passed_60s * MINUTE_S / min(max(seen.since_s, 1.0), MINUTE_S)
        if value is None:
            return passed, CUT_RATE * passed
        low = float(seen.passed_60s)
        if rate.starting and not self._windowed:
            # A full window has let all of its limit through, a small bucket but its size: the truth lies between.
            return value, min((max(low, 1.0) * value) ** 0.5, CUT_RATE * value)
        sure = self._windowed
        if not sure:
            span_s = max(seen.at_s - self._empty_at_s, LEAST_SPAN_S)
            n = seen.sent - self._sent_at_empty - self._refused_since_empty
            refilled = n * MINUTE_S / span_s
            # A bucket that was never full meanwhile lost nothing.
            sure = n >= ENOUGH and self._slowest >= refilled and self._closed_s < CLOSED * span_s
            if not sure:  # one more: the next is nearly due, and what is too low takes long to be found out
                refilled = (n + 1) * MINUTE_S / span_s
                too_little = n >= FEW and value == self._cut_to
                sure = too_little or min(refilled, low) >= AGREE * max(refilled, low)
                refilled = max(refilled, low)
            low = refilled
        if low >= FITS * value and (low >= value or not sure):
            return value, CUT_RATE * value  # a little less than the rate is what our own way up to it let through
        # Of a bucket that was full for a while some was lost, so that it bears more than it let through.
        return (low, CUT_RATE * low) if sure else (value, (low * value) ** 0.5)

    def _cut_slots(self, seen: Seen, in_doubt: str) -> None:
        slots = self._slots
        if max(seen.refused_sent_at_s) <= slots.cut_at_s:
            return
        assert slots.value is not None
        # Which one of a burst was refused says little: no fewer than stream at this moment are borne.
        refused = max(seen.streaming + 1, seen.refused_in_flight or 0)
        bad = min(slots.value, refused)
        slots.cut(min(max(int(CUT_AT_ONCE * bad), seen.streaming), slots.value - 1), bad, seen.at_s)
        self._passed_at_full = None
        self._why_slots = f"refused with {exact(int(bad))} in flight{in_doubt}"


def _is_shut(wait_s: float, passed_60s: int) -> bool:
    """Whether a wait is longer than a bucket asks for that let so many through: its next is due in one's time."""
    return wait_s >= max(2.0, 2 * MINUTE_S / max(passed_60s, 1))


def _next(knob: Knob, more: str) -> str:
    if knob.starting:
        return f", so {more} is tried next"
    if knob.bad is None or knob.value is None:
        return ""
    return f"; {exact(int(knob.bad))} is tried again after {knob.patience_s:.0f} s without a refusal"
