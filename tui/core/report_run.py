"""One run, as reports and lists know it. Its values may be old or damaged: what is not there is absent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tui.core.figures import ABSENT, exact
from tui.core.lookup import text_at, whole_at
from tui.core.views import Timeline


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """One run, as a report knows it."""

    name: str
    state: str
    """`finished`, `interrupted`, `running`, `crashed` or `unreadable`."""
    began: datetime
    fields: Mapping[str, Any]
    """The journal's of the run."""
    figures: Mapping[str, Any]
    """The summary."""
    notes: tuple[str, ...] = ()
    """What is missing, and why."""
    timeline: Timeline | None = None
    """None: nothing is known over time."""
    end_at: int = 0
    """End of the run (ns), on the timeline's clock."""
    withdrawn: int | None = None
    """Calls that had begun and were cancelled before anything was sent; None: only the record of the calls tells."""

    @property
    def job(self) -> str:
        """`load`, `demo`, …"""
        return text_at(self.figures, "job") or text_at(self.fields, "job") or ABSENT

    @property
    def model(self) -> str:
        """The model's name."""
        return text_at(self.figures, "model") or text_at(self.fields, "model") or ABSENT

    @property
    def endpoint(self) -> str:
        """Where it went, without anything that may be a secret."""
        return public_url(text_at(self.fields, "base_url") or "") or ABSENT

    @property
    def swept(self) -> str | None:
        """What it is in a sweep: `rpm 60`; None where it is in none."""
        kind, value = text_at(self.fields, "sweep", "kind"), whole_at(self.fields, "sweep", "value")
        return f"{kind} {exact(value)}" if kind is not None and value is not None else None

    @property
    def unbegun(self) -> int:
        """Calls that should have been and never began, as far as is known; see `unbegun_words`.

        Of a run without an end, what was planned and is not there.
        """
        warmup = whole_at(self.figures, "warmup_calls")
        if not self._ended:
            planned, total = whole_at(self.fields, "planned"), whole_at(self.figures, "calls", "total")
            return max(0, planned - total - (warmup or 0)) if planned is not None and total is not None else 0
        never = max(0, whole_at(self.figures, "never_sent") or 0)
        if warmup is not None:
            return never
        # Summaries of old count calls that were withdrawn before they were sent among the cancelled, too.
        cancelled = max(0, whole_at(self.figures, "calls", "cancelled") or 0)
        return max(0, never - (cancelled if self.withdrawn is None else self.withdrawn))

    @property
    def unbegun_words(self) -> str:
        """What is to be said of those calls."""
        return "never sent" if self._ended else "not on record"

    @property
    def _ended(self) -> bool:
        return self.state not in ("running", "crashed")

    @property
    def due(self) -> int | None:
        """Calls that there should have been, warm-up left out; None when the summary does not say."""
        total = whole_at(self.figures, "calls", "total")
        return None if total is None else total + self.unbegun


def public_url(url: str) -> str:
    """An address without user, password, query and fragment."""
    return re.sub(r"//[^/@]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0])


__all__ = ["ReportedRun", "public_url"]
