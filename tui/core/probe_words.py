"""What a refusal is about, by its code and its words. Judges a single one; how rates and counts go together is no
matter here."""

import re

from tui.core.probe_seen import Cause
from tui.core.refusals import AT_ONCE, QUOTA, TOO_FAST, Refusals

_TOKENS = re.compile(r"\bTPM\b|\btok(?:en)?s?[ _-]?(?:/|a |per[ _-]?)", re.IGNORECASE)
_REQUESTS = re.compile(r"\bRPM\b|\breq(?:uest)?s?[ _-]?(?:/|a |per[ _-]?)", re.IGNORECASE)
_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached"})


def cause_of(message: str, code: str | None = None) -> Cause | None:
    """The cause that a 429 names; None when it only says no."""
    if code in _QUOTA_CODES:
        return Cause.QUOTA
    # One refusal by itself: the run's rule for words applies, and there are no figures that could overrule it.
    alone = Refusals()
    alone.sent(1, 0, 1, 1)
    alone.ended(1, 0, message, 429, None)
    kind = alone.verdict(None, 1).kind
    if kind == TOO_FAST:
        return Cause.TOKENS if _TOKENS.search(message) and not _REQUESTS.search(message) else Cause.RATE
    return {AT_ONCE: Cause.AT_ONCE, QUOTA: Cause.QUOTA}.get(kind)
