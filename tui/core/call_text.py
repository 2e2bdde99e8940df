"""One call as a Markdown document, for people's editors: prompt, answer, figures, attempts, headers, request.

Writes no file. What it needs is taken at one instant (`take`, cheap) and told later, in whatever thread: a document of
megabytes takes longer than any stream may wait.

Texts are as on the screen: characters that act on a terminal or turn text round are U+FFFD (as they came, they are in
the record). They stand in fences longer than any run of backticks in them, so that none of them ends early and no
editor renders a model's links, images or HTML.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tui.core import figures
from tui.core.calls import TextKind
from tui.core.entries import CallEntry
from tui.core.snapshot import AttemptView, FullCall
from tui.core.untrusted import clean, clean_line

_TICKS = re.compile("`+")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&])")
_TITLES = {
    TextKind.CONTENT: "Answer",
    TextKind.REASONING: "Reasoning",
    TextKind.REFUSAL: "Refusal",
    TextKind.TOOL: "Tool call",
}
_ORDER = tuple(_TITLES)


_SLICE_CHARS = 1 << 16
"""Cleaned at a time: a regular expression lets no other thread run, and takes milliseconds for a megabyte."""


@dataclass(frozen=True, slots=True)
class TakenCall:
    """A call as it was at one instant. Nothing in it changes any more."""

    full: FullCall
    retry_of: int | None
    texts: dict[tuple[int, TextKind, int], list[str]]
    """What the attempt that counts brought: raw pieces by choice, kind and tool call."""
    tools: dict[tuple[int, int], tuple[str, str]]
    chars: int
    """How many it brought, which may be no longer in memory."""
    titled: bool = False
    """It has a name that is not its prompt's beginning: a document's."""


def take(call: CallEntry, full: FullCall) -> TakenCall:
    """What the document tells. `full` is the picture of the same call at this instant; durations are from it."""
    attempt = call.delivering or (call.attempts[-1] if call.attempts else None)
    if attempt is None:
        return TakenCall(full, call.retry_of, {}, {}, 0, bool(call.title))
    # The pieces themselves are shared: a list of 100,000 is copied in a fraction of a millisecond.
    texts = {key: pieces.copy() for key, pieces in attempt.texts.items()}
    return TakenCall(full, call.retry_of, texts, attempt.tools.copy(), attempt.chars, bool(call.title))


def call_markdown(call: TakenCall, request: str | None) -> str:
    """The document. `request` is the request as a command; None: it is no longer in memory."""
    full = call.full
    parts = [f"# Call {full.pane.call}: {_inline(full.pane.state.value)}", *_head(call)]
    parts += ["## Prompt", _fenced(full.prompt)]
    parts += list(_texts(call)) if full.attempts else ["## Answer", "Nothing was sent."]
    parts += ["## Figures", _table(("figure", "value"), list(_figures(full)))]
    if full.attempts:
        times = (
            "Limiter: how long it stood there. Sent: since the call was due. The others: since the attempt was sent."
        )
        parts += ["## Attempts", times, _table(_ATTEMPT_COLUMNS, [_attempt_row(each) for each in full.attempts])]
    for attempt in full.attempts:
        if attempt.headers:
            parts += [
                f"## Response headers of attempt {attempt.number}",
                _fenced("\n".join(f"{name}: {value}" for name, value in attempt.headers)),
            ]
    parts += ["## Request", "It is no longer in memory; the record has it." if request is None else _fenced(request)]
    return "\n\n".join(parts) + "\n"


def _head(call: TakenCall) -> Iterator[str]:
    pane = call.full.pane
    facts = [f"- document: {_inline(pane.prompt)}"] if call.titled else []
    facts.append(f"- model: {_inline(pane.model)}")
    family = call.full.family
    if family is not None and family.cut_tokens:
        facts.append(f"- cut: the last {figures.exact(family.cut_tokens)} tokens were not sent")
    if pane.warmup:
        facts.append("- warm-up: it is in no statistic but the attempts and the money")
    if call.retry_of is not None:
        facts.append(f"- does call {call.retry_of} again")
    if pane.finish_reason is not None:
        facts.append(f"- finish reason: {_inline(pane.finish_reason)}")
    if pane.error is not None:
        facts.append(f"- error: {_inline(pane.error)}")
    yield "\n".join(facts)
    if call.full.buffered is not None:
        yield f"**Buffered upstream:** {_inline(call.full.buffered)}"


def _texts(call: TakenCall) -> Iterator[str]:
    """What the attempt brought: each choice's answer first, then how the model came to it."""
    keys = {*call.texts, *((choice, TextKind.TOOL, index) for choice, index in call.tools)}
    if not keys:
        yield "## Answer"
        if call.full.pane.text:
            yield _fenced(call.full.pane.text)
        else:
            yield "Its text is no longer in memory; the record has it." if call.chars else "No text came."
        return
    many = any(choice for choice, _, _ in keys)
    for choice, kind, tool in sorted(keys, key=lambda key: (key[0], _ORDER.index(key[1]), key[2])):
        title = _TITLES[kind]
        if kind is TextKind.TOOL:
            id, name = call.tools.get((choice, tool), ("", ""))
            title = f"{title} {tool + 1}: {_inline(name)} ({_inline(id)})" if name or id else f"{title} {tool + 1}"
        yield f"## {title}, choice {choice + 1}" if many else f"## {title}"
        yield _fenced("".join(call.texts.get((choice, kind, tool), ())))


def _figures(full: FullCall) -> Iterator[tuple[str, str]]:
    pane = full.pane
    yield "queue", figures.ms(full.queue_ns)
    yield "TTFT", f"{figures.ms(pane.ttft_ns)}{f' ({pane.ttft_mark})' if pane.ttft_mark else ''}"
    if full.ttfa_ns is not None:
        yield "TTFA", figures.ms(full.ttfa_ns)
    yield "due to first text", figures.ms(pane.waited_ns)
    yield "tokens", _tokens(pane.tokens, pane.tokens_estimated)
    yield "tokens/s", figures.rate(pane.tokens_per_s)
    for name, count in (
        ("prompt tokens", full.prompt_tokens),
        ("of them cached", full.cached_tokens),
        ("reasoning tokens", full.reasoning_tokens),
    ):
        yield name, figures.ABSENT if count is None else _tokens(count, pane.tokens_estimated)
    yield "chunks", figures.exact(full.chunks)
    yield "largest gap", figures.ms(full.largest_gap_ns)
    cost = figures.money(pane.cost)
    yield "cost", cost if pane.cost.usd is None else f"{cost} ({pane.cost.source})"


def _tokens(count: int, estimated: bool) -> str:
    return f"{figures.ESTIMATED if estimated else ''}{figures.exact(count)}"


_ATTEMPT_COLUMNS = (
    "attempt", "limiter", "sent", "written", "headers", "first text", "last text", "ended", "status", "request", "error"
)  # fmt: skip


def _attempt_row(attempt: AttemptView) -> tuple[str, ...]:
    instants = (
        attempt.limiter_ns,
        attempt.sent_after_ns,
        attempt.written_ns,
        attempt.headers_ns,
        attempt.first_token_ns,
        attempt.last_token_ns,
        attempt.ended_ns,
    )
    status = figures.ABSENT if attempt.status is None else str(attempt.status)
    others = (
        status,
        *(figures.ABSENT if text is None else _inline(text) for text in (attempt.request_id, attempt.error)),
    )
    return (str(attempt.number), *map(figures.ms, instants), *others)


# ── Markdown ───────────────────────────────────────────────────────────────────────────────────────────


def _fenced(text: str) -> str:
    """`text` in a code block that nothing in it can end."""
    text = "".join(clean(text[at : at + _SLICE_CHARS]) for at in range(0, len(text), _SLICE_CHARS))
    ticks = "`" * max(3, 1 + max((len(run[0]) for run in _TICKS.finditer(text)), default=0))
    return f"{ticks}text\n{text}\n{ticks}"


def _inline(text: str) -> str:
    """`text` on one line, where nothing in it is markup."""
    return _MARKDOWN.sub(r"\\\1", clean_line(text))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
