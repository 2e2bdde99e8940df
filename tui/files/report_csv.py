"""Runs as a table for a spreadsheet (a row a run) and as JSON. Writes strings; a text is never a formula there."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tui.core.report_charts import series_json
from tui.core.report_run import ReportedRun
from tui.core.untrusted import clean_line
from tui.files.export import json_text

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
_SETTINGS = ("base_url", "concurrency", "rpm", "tpm", "burst", "planned", "seed")
_MOST_DEPTH = 4
_NOT_SHOWN = ("summary", "base_url", "system", "prompt", "prompts")
"""Fields of a run that a report has elsewhere, or that are what was asked: a report holds figures."""


def csv_report(runs: Sequence[ReportedRun]) -> str:
    """A header, and a row a run; a figure's name is its path in the summary (`ttft_s.p95`). Absent is empty."""
    rows = [dict(_flat_run(run)) for run in runs]
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([_cell(name) for name in names])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    return buffer.getvalue()


def json_report(runs: Sequence[ReportedRun]) -> str:
    """A list of runs, each with its settings, its summary and its series over time."""
    return f"{json_text([_plain(run) for run in runs], indent=2)}\n"


def _plain(run: ReportedRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "state": run.state,
        "began": run.began.isoformat(),
        "notes": list(run.notes),
        "run": {name: finite(value) for name, value in run.fields.items() if name not in _NOT_SHOWN},
        "base_url": run.endpoint,
        "summary": finite(run.figures) or None,
        "series": series_json(run),
    }


def finite(value: Any) -> Any:
    """JSON has no NaN and no infinity, though Python reads them in a file that has: they are absent."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list) else value


def _flat_run(run: ReportedRun) -> Iterator[tuple[str, Any]]:
    yield from (("name", run.name), ("state", run.state), ("began", run.began.isoformat()))
    yield from (("job", run.job), ("model", run.model))
    for name in _SETTINGS:
        yield name, run.endpoint if name == "base_url" else run.fields.get(name)
    for name, value in _flat(finite(run.figures), _MOST_DEPTH):
        if name not in ("job", "model"):
            yield name, value


def _flat(values: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and depth:
            for inner, each in _flat(value, depth - 1):
                yield f"{name}.{inner}", each
        elif isinstance(value, list | Mapping):
            yield name, json_text(value)
        else:
            yield name, value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # Cleaned before the guard is put: what is cut off may have stood before a formula.
        text = clean_line(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return json_text(value)


__all__ = ["csv_report", "finite", "json_report"]
