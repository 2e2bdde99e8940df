"""From the ledger's entry of an ended call to its durable record."""

import json

from tui.core.calls import CallPlan, State, TextKind, Usage
from tui.core.clock import NS_PER_S
from tui.core.entries import AttemptEntry, CallEntry
from tui.core.records import AttemptRecord, CallRecord, ChoiceRecord, ToolCallRecord, item_key


def record_of(
    plan: CallPlan, entry: CallEntry, state: State, error: str | None, origin: str, started_at: int
) -> CallRecord:
    """The record of a call that ended in `state`; `started_at` is the run's start (ns)."""

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
            superseded_text=each.text() if each is not attempt and each.texts else None,
        )
        for each in entry.attempts
    )
    choices = (
        sorted({choice for choice, _, _ in attempt.texts} | {choice for choice, _ in attempt.tools}) if attempt else []
    )
    return CallRecord(
        id=plan.id,
        state=state,
        model=plan.model,
        item_key=item_key(plan.messages, plan.model, origin, plan.params),
        plan_json=json.dumps({"messages": plan.messages, "params": plan.params}).encode(),
        due_s=(entry.due_at - started_at) / NS_PER_S,
        admitted_s=since_start(entry.admitted_at),
        attempts=attempts,
        usage=usage,
        usage_source=None if usage is None else "estimated" if attempt and attempt.usage_estimated else "usage",
        text=attempt.text() or attempt.text(TextKind.REFUSAL) if attempt else "",
        reasoning=attempt.text(TextKind.REASONING) if attempt else "",
        tool_calls=tool_calls(attempt, 0) if attempt else (),
        choices=tuple(
            ChoiceRecord(
                index=choice,
                text=attempt.text(choice=choice) or attempt.text(TextKind.REFUSAL, choice),
                reasoning=attempt.text(TextKind.REASONING, choice),
                tool_calls=tool_calls(attempt, choice),
                finish_reason=entry.finish_reasons.get(choice),
            )
            for choice in choices
            if attempt and choice
        ),
        finish_reason=entry.finish_reason,
        error=error,
        warmup=entry.warmup,
    )


def tool_calls(attempt: AttemptEntry, choice: int) -> tuple[ToolCallRecord, ...]:
    """The tool calls of one choice, by their index."""
    return tuple(
        ToolCallRecord(id, name, attempt.text(TextKind.TOOL, choice, index))
        for (of, index), (id, name) in sorted(attempt.tools.items())
        if of == choice
    )
