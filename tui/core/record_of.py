"""From the ledger's entry of an ended call to its durable record."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.clock import NS_PER_S
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.records import AttemptRecord, CallRecord, ChoiceRecord, ToolCallRecord, item_key
from tui.core.secrets import NO_MASK, Mask
from tui.core.unprompted import asked_texts, without_prompt


def record_of(
    plan: CallPlan,
    entry: CallEntry,
    state: State,
    error: str | None,
    origin: str,
    started_at: int,
    keep_text: bool = True,
    mask: Mask = NO_MASK,
) -> CallRecord:
    """The record of a call that ended in `state`; `started_at` is the run's start (ns).

    Without `keep_text` neither what was asked nor what was answered is in it; errors are, but for what they quote of
    the question. `mask` hides secrets, which servers echo in their answers.
    """
    said = saying(plan, keep_text, mask)

    def since_start(instant: int | None) -> float | None:
        return None if instant is None else (instant - started_at) / NS_PER_S

    attempt = entry.delivering
    usage: Usage | None = attempt.usage if attempt else None
    attempts = tuple(
        AttemptRecord(
            sent_s=(each.sent_at - started_at) / NS_PER_S,
            written_s=since_start(each.written_at),
            headers_s=since_start(each.headers_at),
            first_token_s=since_start(each.first_token_at),
            last_token_s=since_start(each.last_token_at),
            ended_s=since_start(each.ended_at),
            status=each.status,
            error=_maybe(said, each.error),
            request_id=_maybe(said, each.request_id),
            usage=each.usage,
            usage_estimated=each.usage_estimated,
            possibly_billed=each.possibly_billed,
            superseded_text=mask(each.text()) if keep_text and each is not attempt and each.texts else None,
        )
        for each in entry.attempts
    )
    told = attempt if keep_text else None
    choices = sorted({choice for choice, _, _ in told.texts} | {choice for choice, _ in told.tools}) if told else []
    asked = (
        masked({"messages": plan.messages, "params": plan.params}, mask)
        if keep_text
        else {"params": without_text(plan.params)}
    )
    return CallRecord(
        id=plan.id,
        state=state,
        model=plan.model,
        item_key=item_key(
            plan.messages,
            plan.model,
            origin,
            plan.params,
            None if plan.document is None else plan.document.hash,
        ),
        plan_json=json.dumps(asked).encode(),
        due_s=(entry.due_at - started_at) / NS_PER_S,
        admitted_s=since_start(entry.admitted_at),
        attempts=attempts,
        usage=usage,
        usage_source=None if usage is None else "estimated" if attempt and attempt.usage_estimated else "usage",
        text=mask(told.text() or told.text(TextKind.REFUSAL)) if told else "",
        reasoning=mask(told.text(TextKind.REASONING)) if told else "",
        tool_calls=tool_calls(told, 0, mask) if told else (),
        choices=tuple(
            ChoiceRecord(
                index=choice,
                text=mask(told.text(choice=choice) or told.text(TextKind.REFUSAL, choice)),
                reasoning=mask(told.text(TextKind.REASONING, choice)),
                tool_calls=tool_calls(told, choice, mask),
                finish_reason=_maybe(said, entry.finish_reasons.get(choice)),
            )
            for choice in choices
            if told and choice
        ),
        finish_reason=_maybe(said, entry.finish_reason),
        error=_maybe(said, error),
        warmup=entry.warmup,
        retry_of=entry.retry_of,
    )


def saying(plan: CallPlan, keep_text: bool, mask: Mask = NO_MASK) -> Callable[[str], str]:
    """What a record says for a server's words about this call: no secrets and, without `keep_text`, no prompt."""
    if keep_text:
        return mask
    return lambda words: mask(without_prompt(words, asked_texts(plan)))


def masked(value: Any, mask: Mask) -> Any:
    """Plain values with the secrets in their texts hidden, names of fields included."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {masked(name, mask): masked(each, mask) for name, each in value.items()}
    return [masked(each, mask) for each in value] if isinstance(value, list | tuple) else value


def _maybe(said: Callable[[str], str], words: str | None) -> str | None:
    return None if words is None else said(words)


def without_text(params: Mapping[str, Any]) -> dict[str, Any]:
    """Of a request's parameters those that are figures and switches: schemas, stop words and such are text."""
    return {name: value for name, value in params.items() if value is None or isinstance(value, int | float)}


def tool_calls(attempt: AttemptEntry, choice: int, mask: Mask = NO_MASK) -> tuple[ToolCallRecord, ...]:
    """The tool calls of one choice, by their index."""
    return tuple(
        ToolCallRecord(mask(id), mask(name), mask(attempt.text(TextKind.TOOL, choice, index)))
        for (of, index), (id, name) in sorted(attempt.tools.items())
        if of == choice
    )
