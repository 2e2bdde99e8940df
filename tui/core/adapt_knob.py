"""One limit of our own, turned up and down: slow start, then additively up and multiplicatively down (AIMD).

AIMD is Chiu and Jain's (1989), slow start is Jacobson's (1988). Against refusals that teach nothing a knob remembers
the value that was last refused, closes in on it by halves of the gap (BIC, Xu et al. 2004), tries it again only after
a wait, and waits twice as long each time in vain (CUBIC's plateau, RFC 9438). Knows nothing of servers and clocks.
"""

from dataclasses import dataclass

from tui.core.adapt_seen import NEVER

STEP = 0.04
"""A step up, as a part of the value last refused. More than 3 %, so that a chart is not full of marks."""
LONGEST_STEP = 0.15
"""Where what was refused is borne after all, each step is twice the one before, up to this part of the value."""
NEAR = 0.98
"""Up to this part of the value last refused, steps are quick."""
QUICK_S = 5.0
UNKNOWN_S = 10.0
"""Between two steps where nothing is known: a server that lets bursts pass refuses late."""
FIRST_PATIENCE_S, LONGEST_PATIENCE_S = 20, 240
LONGEST_LOOK_S = 1.0
"""What lies further back than this was not looked at: it is no calm."""


@dataclass(frozen=True, slots=True)
class SlowStart:
    """How a knob is raised as long as nothing was refused."""

    first: float
    doubles_to: float
    """Beyond this it grows by a quarter a step: what is sent before the first refusal comes is refused as well."""
    calm_s: float
    """Between two steps."""

    def after(self, value: float) -> float:
        """One step up from `value`."""
        return value * (2.0 if value < self.doubles_to else 1.25)


class Knob:
    """One limit. `most`: the most it may be, None: anything."""

    def __init__(self, value: float | None, most: float | None, start: SlowStart | None = None) -> None:
        """`start`: begin slowly, and not at `value`."""
        self.value = value
        """None: no limit."""
        self.most = most
        self.bad: float | None = None
        """What was last refused; None when that is long gone."""
        self.cut_at_s = NEVER
        self.proof_s = 0.0
        """It takes so long at least until a value beyond what was refused is known to be borne."""
        self.patience_s = FIRST_PATIENCE_S
        self._start = start if start is not None and (most is None or most > start.first) else None
        self._step = 1.0
        self._calm_s = 0.0
        if self._start is not None:
            self.value = self._start.first

    @property
    def starting(self) -> bool:
        """It is in its slow start: what it bears is not known yet."""
        return self._start is not None

    def settle(self) -> None:
        """Its value is known: the slow start is over."""
        self._start = None

    def cut(self, to: float, bad: float, at_s: float) -> None:
        """Go down to `to`, for `bad` was refused."""
        tried_in_vain = self.bad is not None and bad > self.bad * (1 - 2 * STEP)
        self.patience_s = min(2 * self.patience_s, LONGEST_PATIENCE_S) if tried_in_vain else FIRST_PATIENCE_S
        self.bad = bad
        self._start = None
        self._step = max(1.0, STEP * bad)
        self.value = max(1.0, to)
        self.cut_at_s = at_s
        self._calm_s = 0.0

    def rise(self, seconds: float, borne: bool = True) -> None:
        """For so long it was used to the full and nothing was refused; `borne`: and answers to it have come."""
        if self.value is None or (self.most is not None and self.value >= self.most):
            return
        self._calm_s += min(seconds, LONGEST_LOOK_S)
        up = self._up(self.value)
        if self._calm_s < self._wait_s(up) or not borne:
            return
        self._calm_s = 0.0
        if self.bad is not None and self.value > self.bad * (1 + STEP):
            self.bad, self.patience_s = None, FIRST_PATIENCE_S  # it has been borne: the server's limit has grown
            self._step = max(1.0, STEP * self.value)
        elif self.bad is None and self._start is None:
            self._step = min(2 * self._step, LONGEST_STEP * self.value)  # how far it has grown, nobody knows
        self.value = up if self.most is None else min(up, self.most)

    def _up(self, value: float) -> float:
        if self._start is not None:
            return self._start.after(value)
        gap = 0.0 if self.bad is None else NEAR * self.bad - value
        return value + max(self._step, gap / 2)

    def _wait_s(self, up: float) -> float:
        if self._start is not None:
            return self._start.calm_s
        if self.bad is None:
            return max(UNKNOWN_S, self.proof_s / 2)
        return QUICK_S if up <= NEAR * self.bad else max(self.patience_s, self.proof_s)
