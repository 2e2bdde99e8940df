"""What a probe has found, in figures and as a command line. Values only."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.probe_evidence import Evidence
from tui.core.probe_seen import Answer, Range

NO_LIMIT = "none"
_WIDE = 0.1
_NEAR = 0.05
"""A limit that the server states this near to the bounds is not contradicted by them: servers count otherwise, too."""
_FEWEST = 2
"""Requests that must have passed before their passing says anything of a limit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of a probe."""

    rpm: Range
    burst: Range
    tpm: Range | None
    """None: no limit on tokens was reached."""
    concurrency: Range | None
    """None: no limit on how many at once was reached."""
    kind: str | None
    """A kind of limit, `none` when none was reached, None when it could not be told."""
    retry_after_honest: bool | None
    """Whether a request at the hinted instant passes; None: no hint was given, or none could be tried."""
    requests: int
    stated_rpm: int | None
    stated_tpm: int | None
    most_at_once: int
    refusal: Answer | None
    """The first 429."""
    stopped: str | None
    """Why it ended early."""
    found: bool = True
    """Whether it says anything of the limit, if only bounds."""
    target: tuple[str, ...] = ()
    """Flags that name whom to load, as in the probe's own command line."""

    @property
    def command(self) -> str | None:
        """The load that this limit lets through, ready for a shell; None while it is not known."""
        flags: list[str] = []
        # What is only bounded from far is taken at its lower bound: that much was seen to pass.
        wide = self.rpm.spread > _WIDE and self.stated_rpm is None
        rpm = self.rpm.low if wide else self.rpm.estimate
        if rpm is not None and (self.rpm.high is not None or self.stated_rpm is not None) and rpm >= 1:
            flags += ["--rpm", str(math.floor(rpm + 1e-9))]
            if self.burst.estimate is not None and self.burst.estimate >= 1:
                flags += ["--burst", str(math.floor(self.burst.estimate))]
        if self.tpm is not None and self.tpm.estimate is not None:
            flags += ["--tpm", str(math.floor(self.tpm.estimate))]
        if self.concurrency is not None and self.concurrency.estimate is not None:
            flags += ["--concurrency", str(math.floor(self.concurrency.estimate))]
        return shlex.join(["weir", "load", *self.target, *flags]) if flags else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "rpm": _plain(self.rpm),
            "burst": _plain(self.burst),
            "tpm": None if self.tpm is None else _plain(self.tpm),
            "concurrency": None if self.concurrency is None else _plain(self.concurrency),
            "kind": self.kind,
            "retry_after_honest": self.retry_after_honest,
            "requests_used": self.requests,
            "command": self.command,
            "stopped": self.stopped,
        }


def verdict_of(evidence: Evidence, target: Sequence[str], unmet: int, stopped: str | None, broken: bool) -> Verdict:
    """The verdict on what was heard. `unmet`: how many passed within a minute, should no limit have been met; `broken`:
    it was stopped by something that is no limit."""
    stated = evidence.limit
    nothing = Range(None, float(unmet) if unmet else None, None)
    rpm, burst, tpm, kind = nothing, nothing, None, None
    met = evidence.empty_s is not None and evidence.passed > 0
    if met:
        likely, *others = evidence.fits
        alike = [other for other in others if other.misfits == likely.misfits]
        kind = None if alike else likely.kind
        figure = _around([likely.rpm, *(other.rpm for other in alike)])
        burst = _around([likely.burst.whole(), *(other.burst.whole() for other in alike)])
        if evidence.by_tokens and evidence.cost_tokens is not None:
            tpm = _with_stated(_times(figure, evidence.cost_tokens), evidence.token_limit)
            burst = nothing
        else:
            rpm = _with_stated(figure, stated)
    elif evidence.passed >= _FEWEST and not broken:
        kind = NO_LIMIT
        rpm = nothing if stated is None or stated < unmet else Range(float(stated), nothing.low, None)
    return Verdict(
        rpm=rpm,
        burst=burst,
        tpm=tpm,
        concurrency=evidence.at_once,
        kind=kind,
        retry_after_honest=all(evidence.kept_word) if evidence.kept_word else None,
        requests=evidence.requests,
        stated_rpm=stated,
        stated_tpm=evidence.token_limit,
        most_at_once=evidence.most_at_once,
        refusal=evidence.refusal,
        stopped=stopped,
        found=not broken and (met or kind is not None),
        target=tuple(target),
    )


def agrees(figure: Range, stated: int) -> bool:
    """Whether the evidence does not speak against what the server states."""
    low, high = figure.low or 0.0, math.inf if figure.high is None else figure.high
    return low <= stated * (1 + _NEAR) and stated * (1 - _NEAR) <= high


def _with_stated(figure: Range, stated: int | None) -> Range:
    """The limit that the server states is the estimate, where the evidence does not speak against it."""
    if stated is None or not agrees(figure, stated):
        return figure
    low, high = figure.low, figure.high
    return Range(
        float(stated),
        None if low is None else min(low, float(stated)),
        None if high is None else max(high, float(stated)),
    )


def _around(figures: Sequence[Range]) -> Range:
    """What holds whichever of them is true: an estimate only where they share it."""
    lows, highs = [figure.low for figure in figures], [figure.high for figure in figures]
    low = min((each for each in lows if each is not None), default=None) if None not in lows else None
    high = max((each for each in highs if each is not None), default=None) if None not in highs else None
    estimates = {figure.estimate for figure in figures}
    return Range(estimates.pop() if len(estimates) == 1 else None, low, high)


def _times(figure: Range, factor: int) -> Range:
    return Range(*(None if each is None else each * factor for each in (figure.estimate, figure.low, figure.high)))


def _plain(figure: Range) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, 2)
        for name, value in (("estimate", figure.estimate), ("low", figure.low), ("high", figure.high))
    }
