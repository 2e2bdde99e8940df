"""What a run was asked to do, in words: the fields of its record, none of them as JSON. Pure; every text is clean.

Texts that were sent (prompts, a system message) are left out: a report is handed on.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from tui.core.clock import NS_PER_S
from tui.core.figures import ABSENT, exact, ms, usd
from tui.core.lookup import number_at, text_at, value_at, whole_at
from tui.core.report_run import ReportedRun
from tui.core.untrusted import clean_line

MOST_TEXT = 240
"""Characters of a setting or an error."""
_MOST_DEPTH = 3
"""Of values within values."""
_MOST_PARTS = 40

_SAID_ELSEWHERE = frozenset(
    {
        "job", "model", "base_url", "endpoint", "started", "ended", "interrupted", "price", "summary",
        "objectives_ns", "goodput", "system", "prompt", "prompts", "figure_notes", "clock_ns", "corpus_documents",
    }
)  # fmt: skip


def setting_rows(runs: Sequence[ReportedRun]) -> list[tuple[str, list[str]]]:
    """Name and each run's value: what people ask for first, then whatever else is in the record."""
    known = {name for name, _, _ in _SETTINGS}
    others = dict.fromkeys(name for run in runs for name in run.fields if name not in known | _SAID_ELSEWHERE)
    return [
        ("model", [short(run.model) for run in runs]),
        ("endpoint", [short(run.endpoint) for run in runs]),
        *(
            (shown, [_written(run.fields.get(name), written) for run in runs])
            for name, shown, written in _SETTINGS
            if any(name in run.fields for run in runs)
        ),
        *(
            (clean_line(name).replace("_", " "), [_written(run.fields.get(name), words) for run in runs])
            for name in others
        ),
        ("objectives", [_objectives(run) for run in runs]),
        ("price", [_price(run) for run in runs]),
    ]


def short(text: str) -> str:
    """On one line, clean, and no longer than a table bears."""
    text = clean_line(text)
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"


def words(value: Any, depth: int = 0) -> str:
    """Any value of a record for people: `max_tokens 40 · stop x, y`."""
    if value is None or value == "":
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return exact(value) if abs(value) < 10**15 else str(value)[:MOST_TEXT]
    if isinstance(value, float):
        return f"{value:g}"
    if depth >= _MOST_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        parts = [f"{name} {words(value[name], depth + 1)}" for name in list(value)[:_MOST_PARTS]]
        joined = (" · " if depth == 0 else ", ").join(parts)
        return joined if depth == 0 or len(parts) < 2 else f"({joined})"
    if isinstance(value, list):
        return ", ".join(words(each, depth + 1) for each in value[:_MOST_PARTS])
    return str(value)[: MOST_TEXT + 1]


def _written(value: Any, written: Callable[[Any], str | None]) -> str:
    if value is None or value in ({}, [], ""):
        return ABSENT
    # What is not what it should be is shown as it is: a report hides nothing because it is odd.
    return short(written(value) or words(value))


def _seconds(value: Any) -> str | None:
    found = number_at({"value": value}, "value")
    return None if found is None else ms(round(found * NS_PER_S))


def _a_minute(value: Any) -> str | None:
    found = whole_at({"value": value}, "value")
    return None if found is None else f"{exact(found)} calls a minute"


def _ramp(value: Any) -> str | None:
    start, end = whole_at(value, "start_rpm"), whole_at(value, "end_rpm")
    within, step = _seconds(value_at(value, "duration_s")), whole_at(value, "step_rpm")
    if start is None or end is None or within is None:
        return None
    steps = "" if step is None else f", in steps of {exact(step)}"
    return f"from {exact(start)} to {exact(end)} calls a minute within {within}{steps}"


def _sweep(value: Any) -> str | None:
    kind, at = text_at(value, "kind"), whole_at(value, "value")
    number, of = whole_at(value, "number"), whole_at(value, "of")
    if kind is None or at is None or number is None or of is None:
        return None
    return f"{kind} {exact(at)}, run {exact(number)} of {exact(of)}"


def _usd(value: Any) -> str | None:
    found = number_at({"value": value}, "value")
    try:
        return None if found is None else usd(Decimal(str(value)))
    except InvalidOperation:
        return None


def _documents(value: Any) -> str:
    """Of a batch's settings what may be handed on: not its prompts."""
    inputs, most = value_at(value, "documents"), whole_at(value, "max_input_tokens")
    said = words(inputs) if isinstance(inputs, list) else ABSENT
    if most is None:
        return said
    longer = "in parts" if text_at(value, "long") == "split" else "cut"
    return f"{said} · more than {exact(most)} tokens: {longer}"


def _adapt(value: Any) -> str | None:
    return "yes: the pace that the server bears is found" if value is True else None


_SETTINGS: tuple[tuple[str, str, Callable[[Any], str | None]], ...] = (
    ("sweep", "sweep", _sweep),
    ("settings", "documents", _documents),
    ("structured", "answers are JSON", words),
    ("sessions", "sessions", words),
    ("concurrency", "streams at once", words),
    ("rpm", "rpm", words),
    ("tpm", "tpm", words),
    ("burst", "burst", words),
    ("adapt", "adapts its pace", _adapt),
    ("arrival", "arrival", words),
    ("rate_rpm", "schedule", _a_minute),
    ("ramp", "ramp", _ramp),
    ("burstiness", "burstiness", words),
    ("duration_s", "duration", _seconds),
    ("planned", "calls planned", words),
    ("warmup", "warm-up calls", words),
    ("retries", "retries a call", words),
    ("budget_usd", "budget", _usd),
    ("params", "sent with each call", words),
    ("seed", "seed", str),
    ("transport", "transport", words),
    ("keep_text", "text kept", words),
)
"""Name in the record, name in the report, and how the value is written (None: it is not what it should be)."""


def _objectives(run: ReportedRun) -> str:
    stated = value_at(run.figures, "goodput", "objectives_s")
    found = [(name, number_at(stated, name)) for name in stated] if isinstance(stated, Mapping) else []
    return short(" · ".join(f"{name} ≤ {_seconds(most)}" for name, most in found if most is not None)) or ABSENT


def _price(run: ReportedRun) -> str:
    """`$2.50 in, $10.00 out per million tokens (--price)`."""
    rates = [
        f"{found} {word}"
        for name, word in (("input", "in"), ("output", "out"), ("cached", "cached"))
        if (found := _usd(value_at(run.fields, "price", name))) is not None
    ]
    origin = text_at(run.fields, "price", "origin")
    if not rates:
        return short(origin or ABSENT)
    return short(f"{', '.join(rates)} per million tokens{f' ({origin})' if origin is not None else ''}")


__all__ = ["MOST_TEXT", "setting_rows", "short", "words"]
