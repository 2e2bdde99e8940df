"""How every number looks on the screen. The one module that formats them; it computes none.

Absent is None and is drawn `—`; an unknown price is `?`; `~` marks an estimate. Every function keeps to a
stated number of cells, so that columns do not jump while figures change.
"""

from decimal import Decimal

from tui.core.clock import NS_PER_MS, NS_PER_S
from tui.core.snapshot import Cost

ABSENT = "—"

ESTIMATED = "~"
"""In front of a figure that no server stated."""

AT_MOST = "≤"
"""In front of a cost that holds attempts which died after the server may have begun to work."""


def ms(duration_ns: int | None) -> str:
    """A duration for people: `0.4 ms`, `412 ms`, `1.24 s`, `12.4 s`, `2m 05s`, `3h 07m`; at most 7 cells."""
    if duration_ns is None:
        return ABSENT
    in_ms = max(0, duration_ns) / NS_PER_MS
    if in_ms < 9.95:
        return f"{in_ms:.1f} ms"
    if in_ms < 999.5:
        return f"{in_ms:.0f} ms"
    in_s = in_ms / 1000
    if in_s < 9.995:
        return f"{in_s:.2f} s"
    if in_s < 59.95:
        return f"{in_s:.1f} s"
    whole_s = round(in_s)
    if whole_s < 3600:
        return f"{whole_s // 60}m {whole_s % 60:02d}s"
    return f"{whole_s // 3600}h {whole_s % 3600 // 60:02d}m"


def elapsed(duration_ns: int) -> str:
    """A running clock: `00:42`, `12:05`, `1:02:33`."""
    whole_s = max(0, duration_ns) // NS_PER_S
    minutes, seconds = divmod(whole_s, 60)
    if minutes < 60:
        return f"{minutes:02d}:{seconds:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"


def countdown(duration_ns: int) -> str:
    """What is left of a wait: `0.0 s`, `2.1 s`, `48 s`, `2m 05s`."""
    if duration_ns < 10 * NS_PER_S:
        return f"{max(0, duration_ns) / NS_PER_S:.1f} s"
    if duration_ns < 60 * NS_PER_S:
        return f"{duration_ns // NS_PER_S} s"
    return ms(duration_ns)


def count(n: int) -> str:
    """A number of things: `0`, `1,234`, `12.3k`, `1.23M`; at most 5 cells (6 from a thousand million on)."""
    if n < 10_000:
        return f"{n:,}"
    if n < 99_950:
        return f"{n / 1000:.1f}k"
    if n < 999_500:
        return f"{n / 1000:.0f}k"
    if n < 9_995_000:
        return f"{n / 1e6:.2f}M"
    if n < 99_950_000:
        return f"{n / 1e6:.1f}M"
    return f"{n / 1e6:.0f}M"


def exact(n: int) -> str:
    """A number of things with every digit: `12,345`."""
    return f"{n:,}"


def rate(per_s: float | None) -> str:
    """A rate: `—`, `4.2`, `48`, `1,204`, `12.3k`; at most 5 cells."""
    if per_s is None:
        return ABSENT
    if per_s < 9.95:
        return f"{max(0.0, per_s):.1f}"
    return count(round(per_s))


def tokens(n: int, estimated: bool) -> str:
    """Tokens, marked when no server counted them: `~1,234`; at most 6 cells."""
    return f"{ESTIMATED}{count(n)}" if estimated and n else count(n)


def percent(part: int, whole: int) -> str:
    """A share: `41 %`; `—` of nothing. 100 % is all of it, never a rounded 99.6."""
    if whole <= 0:
        return ABSENT
    return f"{min(part, whole) * 100 // whole} %"


def usd(amount: Decimal) -> str:
    """Dollars: `$0`, `<$0.00001`, `$0.00008`, `$0.0123`, `$1.23`, `$1,234`; 9 cells below a million."""
    if amount == 0:
        return "$0"
    if amount >= 1000:
        return f"${amount:,.0f}"
    if amount >= 1:
        return f"${amount:.2f}"
    if amount >= Decimal("0.001"):
        return f"${amount:.4f}"
    if amount >= Decimal("0.00001"):
        return f"${amount:.5f}"
    return "<$0.00001"


def money(cost: Cost) -> str:
    """A cost with the mark of its source: `$0.0123`, `~$0.0123`, `≤$0.0123`; `?` when unpriced."""
    if cost.usd is None:
        return "?"
    text = usd(Decimal(cost.usd))
    if text.startswith("<"):
        return text
    return {"estimated": ESTIMATED, "possibly billed": AT_MOST}.get(cost.source, "") + text
