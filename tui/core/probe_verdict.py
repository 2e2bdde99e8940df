"""What a probe has found, in figures, as a command line and in words. Values only."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tui.core.probe_fits import Fit
from tui.core.probe_seen import Answer, Range

NO_LIMIT = "none"
_WIDE = 0.1


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

    @property
    def found(self) -> bool:
        """Whether it answers the question."""
        figures = self.rpm if self.tpm is None else self.tpm
        return self.kind == NO_LIMIT or (
            self.kind is not None and self.stopped is None and figures.estimate is not None
        )

    @property
    def command(self) -> str | None:
        """The load that this limit lets through; None while it is not known."""
        flags = []
        # What is only bounded from far is taken at its lower bound: that much was seen to pass.
        wide = self.rpm.spread > _WIDE and self.stated_rpm is None
        rpm = self.rpm.low if wide else self.rpm.estimate
        if rpm is not None and (self.rpm.high is not None or self.stated_rpm is not None) and rpm >= 1:
            flags.append(f"--rpm {math.floor(rpm + 1e-9)}")
            if self.burst.estimate is not None and self.burst.estimate >= 1:
                flags.append(f"--burst {math.floor(self.burst.estimate)}")
        if self.tpm is not None and self.tpm.estimate is not None:
            flags.append(f"--tpm {math.floor(self.tpm.estimate)}")
        if self.concurrency is not None and self.concurrency.estimate is not None:
            flags.append(f"--concurrency {math.floor(self.concurrency.estimate)}")
        return " ".join(["weir load", *flags]) if flags else None

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


def verdict_of(
    *,
    fits: Sequence[Fit],
    passed: int,
    requests: int,
    stated: int | None,
    token_limit: int | None,
    tokens_each: int | None,
    at_once: Range | None,
    most_at_once: int,
    kept_word: Sequence[bool],
    refusal: Answer | None,
    stopped: str | None,
) -> Verdict:
    """The verdict on what kinds of limits explain, the likeliest first; none of them when nothing was refused."""
    nothing = Range(None, float(passed) if passed else None, None)
    rpm, burst, tpm, kind = nothing, nothing, None, None
    if fits:
        likely, other = fits[0], fits[1]
        rpm, burst = _with_stated(likely.rpm, stated), likely.burst.whole()
        if likely.misfits < other.misfits:
            kind = likely.kind
        if tokens_each is not None:
            tpm = _times(likely.rpm, tokens_each)
            rpm = burst = nothing
    elif passed and stopped is not None and stopped.startswith("--max-requests"):
        kind = NO_LIMIT
    return Verdict(
        rpm,
        burst,
        tpm,
        at_once,
        kind,
        all(kept_word) if kept_word else None,
        requests,
        stated,
        token_limit,
        most_at_once,
        refusal,
        stopped,
    )


def _with_stated(rpm: Range, stated: int | None) -> Range:
    """The limit that the server states is the estimate, where the evidence does not speak against it."""
    if stated is None or (rpm.low or 0.0) > stated or (rpm.high is not None and rpm.high < stated):
        return rpm
    return Range(float(stated), rpm.low, rpm.high)


def _times(figure: Range, factor: int) -> Range:
    return Range(*(None if each is None else each * factor for each in (figure.estimate, figure.low, figure.high)))


def _plain(figure: Range) -> dict[str, float | None]:
    return {
        name: None if value is None else round(value, 2)
        for name, value in (("estimate", figure.estimate), ("low", figure.low), ("high", figure.high))
    }
