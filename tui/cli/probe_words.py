"""What a probe has found, for people, in plain lines."""

from tui.core.clock import nanoseconds
from tui.core.figures import ABSENT, exact, ms
from tui.core.probe_seen import Answer, Range
from tui.core.probe_verdict import NO_LIMIT, Verdict
from tui.core.untrusted import clean_line

_KINDS = {
    "fixed-window": "fixed window: everything comes back at once, at a minute's end",
    "sliding-window": "sliding window: what was used comes back a minute later, as it was used",
    "token-bucket": "token bucket: it refills evenly",
    NO_LIMIT: "no limit was met",
    None: f"{ABSENT} (it could not be told)",
}
_HONEST = {
    True: "honest: what is sent then passes",
    False: "too short: what is sent then is refused",
}
_SHOWN_HEADERS = 12


def verdict_text(verdict: Verdict) -> str:
    """The verdict in a few lines."""
    rows = [
        ("requests", f"{_figure(verdict.rpm)} a minute{_stated(verdict.stated_rpm)}"),
        ("burst", f"{_figure(verdict.burst)} at once from a rest"),
        ("refill", _KINDS[verdict.kind]),
        ("tokens", _tokens(verdict)),
        ("at once", _at_once(verdict)),
    ]
    if verdict.refusal is not None:
        rows += _refusal(verdict.refusal)
        rows.append(("its wait", _wait(verdict)))
    rows.append(("used", f"{exact(verdict.requests)} requests"))
    if verdict.stopped is not None:
        rows.append(("ended", f"early: {verdict.stopped}"))
    lines = ["probe", *(f"  {name:<10} {value}" for name, value in rows)]
    if verdict.command is not None:
        lines += ["", clean_line(verdict.command)]
    return "\n".join(lines)


def _figure(figure: Range) -> str:
    low, high = (None if each is None else exact(round(each)) for each in (figure.low, figure.high))
    if figure.estimate is None and low is not None and high is not None:
        return f"{low}–{high}"
    if figure.estimate is None:
        return f"{low} or more" if figure.low else ABSENT
    if low is None or high is None or low == high:
        return exact(round(figure.estimate))
    return f"{exact(round(figure.estimate))} ({low}–{high})"


def _stated(limit: int | None) -> str:
    return "" if limit is None else f"; the server states {exact(limit)}"


def _tokens(verdict: Verdict) -> str:
    if verdict.tpm is not None:
        return f"{_figure(verdict.tpm)} a minute{_stated(verdict.stated_tpm)}"
    return f"limit not reached{_stated(verdict.stated_tpm)}"


def _at_once(verdict: Verdict) -> str:
    if verdict.concurrency is None:
        return f"no limit met with {exact(verdict.most_at_once)} at once"
    return f"{_figure(verdict.concurrency)} at once"


def _wait(verdict: Verdict) -> str:
    if verdict.retry_after_honest is not None:
        return _HONEST[verdict.retry_after_honest]
    asked = verdict.refusal is not None and verdict.refusal.hint_s is not None
    return f"{ABSENT} ({'not put to the test' if asked else 'none is asked for'})"


def _refusal(refusal: Answer) -> list[tuple[str, str]]:
    asked = "no wait" if refusal.hint_s is None else f"a wait of {ms(nanoseconds(refusal.hint_s))}"
    rows = [("a refusal", f"{clean_line(refusal.message)}"), ("", f"asks for {asked}")]
    telling = [
        (name, value)
        for name, value in refusal.headers
        if "limit" in name.lower() or "retry" in name.lower() or "reset" in name.lower()
    ]
    rows += [("", f"{clean_line(name)}: {clean_line(value)}") for name, value in telling[:_SHOWN_HEADERS]]
    return rows
