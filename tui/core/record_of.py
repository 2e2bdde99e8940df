"""From the ledger's entry of an ended call to its durable record."""

import json
from collections.abc import Mapping
from typing import Any

from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.clock import NS_PER_S
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.records import AttemptRecord, CallRecord, ChoiceRecord, ToolCallRecord, item_key


def record_of(
    plan: CallPlan,
    entry: CallEntry,
    state: State,
    error: str | None,
    origin: str,
    started_at: int,
    keep_text: bool = True,
) -> CallRecord:
    """The record of a call that ended in `state`; `started_at` is the run's start (ns).

    Without `keep_text` neither what was asked nor what was answered is in it; errors are.
    """

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
            error=each.error,
            request_id=each.request_id,
            usage=each.usage,
            usage_estimated=each.usage_estimated,
            possibly_billed=each.possibly_billed,
            superseded_text=each.text() if keep_text and each is not attempt and each.texts else None,
        )
        for each in entry.attempts
    )
    told = attempt if keep_text else None
    choices = sorted({choice for choice, _, _ in told.texts} | {choice for choice, _ in told.tools}) if told else []
    asked = {"messages": plan.messages, "params": plan.params} if keep_text else {"params": without_text(plan.params)}
    return CallRecord(
        id=plan.id,
        state=state,
        model=plan.model,
        item_key=item_key(plan.messages, plan.model, origin, plan.params),
        plan_json=json.dumps(asked).encode(),
        due_s=(entry.due_at - started_at) / NS_PER_S,
        admitted_s=since_start(entry.admitted_at),
        attempts=attempts,
        usage=usage,
        usage_source=None if usage is None else "estimated" if attempt and attempt.usage_estimated else "usage",
        text=told.text() or told.text(TextKind.REFUSAL) if told else "",
        reasoning=told.text(TextKind.REASONING) if told else "",
        tool_calls=tool_calls(told, 0) if told else (),
        choices=tuple(
            ChoiceRecord(
                index=choice,
                text=told.text(choice=choice) or told.text(TextKind.REFUSAL, choice),
                reasoning=told.text(TextKind.REASONING, choice),
                tool_calls=tool_calls(told, choice),
                finish_reason=entry.finish_reasons.get(choice),
            )
            for choice in choices
            if told and choice
        ),
        finish_reason=entry.finish_reason,
        error=error,
        warmup=entry.warmup,
    )


def without_text(params: Mapping[str, Any]) -> dict[str, Any]:
    """Of a request's parameters those that are figures and switches: schemas, stop words and such are text."""
    return {name: value for name, value in params.items() if value is None or isinstance(value, int | float)}


def tool_calls(attempt: AttemptEntry, choice: int) -> tuple[ToolCallRecord, ...]:
    """The tool calls of one choice, by their index."""
    return tuple(
        ToolCallRecord(id, name, attempt.text(TextKind.TOOL, choice, index))
        for (of, index), (id, name) in sorted(attempt.tools.items())
        if of == choice
    )
