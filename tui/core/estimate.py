"""What a run may take before it starts: requests, tokens, time and money, each between two bounds. Pure arithmetic.

Sends nothing, and knows no tokeniser: who has one hands its count in. The upper bounds are those that a budget
reserves (core/budget.py), so that "the budget holds all of it" is said of the same figures.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tui.core.budget import UnboundedCost, dearest, most_completion_tokens, most_prompt_tokens
from tui.core.calls import CallPlan, Usage
from tui.core.live_tokens import estimated_tokens
from tui.core.money import Price, cost_of

FAST_TTFT_S, FAST_TPOT_S = 0.2, 0.005
SLOW_TTFT_S, SLOW_TPOT_S = 2.0, 0.05
"""Between which a server is taken to be: 200 tokens a second after 0.2 s, and 20 after 2 s."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run asks for, all requests together."""

    requests: int = 0
    prompt_low: int = 0
    """Tokens as they are counted, or by the rule of four characters a token."""
    prompt_high: int | None = 0
    """Their upper bound; None when some prompt has none."""
    longest_prompt: int = 0
    """The upper bound of a single one: it decides which rates may apply."""
    answers_low: int = 0
    """Completion tokens that are expected."""
    answers_high: int | None = 0
    """The most that are allowed; None when some request has no bound."""


def workload(
    plans: Iterable[CallPlan],
    expected_tokens: int | None = None,
    most_answer_tokens: int | None = None,
    prompt_tokens: Callable[[Sequence[Mapping[str, Any]]], int] | None = None,
) -> Workload:
    """Add up what these plans ask for, each sent once.

    `expected_tokens` of one request; None: one, the least there can be. `prompt_tokens` counts the tokens of a
    prompt's messages; None: four characters a token.
    """
    counted = prompt_tokens or _estimated_prompt_tokens
    requests = prompt_low = longest = answers_low = 0
    prompt_high: int | None = 0
    answers_high: int | None = 0
    for plan in plans:
        requests += 1
        most_prompt = _unless_unbounded(most_prompt_tokens, plan)
        prompt_low += counted(plan.messages)
        longest = max(longest, most_prompt or 0)
        prompt_high = _sum(prompt_high, most_prompt)
        most_answers = _unless_unbounded(most_completion_tokens, plan, most_answer_tokens)
        answers_high = _sum(answers_high, most_answers)
        expected = expected_tokens or 1
        answers_low += expected if most_answers is None else min(expected, most_answers)
    return Workload(requests, prompt_low, prompt_high, longest, answers_low, answers_high)


def _unless_unbounded(bound: Callable[..., int], *of: object) -> int | None:
    try:
        return bound(*of)
    except UnboundedCost:
        return None


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take, between two bounds; None is what nobody can say."""

    requests: int
    tokens_low: int
    tokens_high: int | None
    duration_low_s: float
    duration_high_s: float | None
    cost_low: Decimal | None
    cost_high: Decimal | None


def estimate(
    work: Workload,
    price: Price | None = None,
    rpm: int | None = None,
    tpm: int | None = None,
    concurrency: int = 1,
    burst: int = 1,
) -> Estimate:
    """What the run will take, if every call succeeds the first time.

    Low: prompts as counted, answers as long as expected, a fast server, `burst` requests and a tenth of a
    minute's tokens at once. High: upper bounds of prompts, answers as long as allowed, a slow server, every request a
    full step of the rate after the one before. Retries, 429s and what the server holds back are in neither.
    """
    tokens_low = work.prompt_low + work.answers_low
    tokens_high = _sum(work.prompt_high, work.answers_high)
    cost_low = cost_high = high_s = None
    stream_s = _stream_s(work, work.answers_low, FAST_TTFT_S, FAST_TPOT_S)
    held_s = max(_held_back_s(work.requests - burst, rpm), _held_back_s(tokens_low - (tpm or 0) // 10, tpm))
    low_s = max(_turns(work, concurrency) * stream_s, held_s + stream_s)
    if work.answers_high is not None and (tokens_high is not None or tpm is None):
        stream_s = _stream_s(work, work.answers_high, SLOW_TTFT_S, SLOW_TPOT_S)
        # They add up at worst: the rate lets a request go when its slot has just been taken.
        held_s = max(_held_back_s(work.requests, rpm), _held_back_s(tokens_high or 0, tpm))
        high_s = _turns(work, concurrency) * stream_s + held_s
    if price is not None:
        cost_low = cost_of(Usage(work.prompt_low, work.answers_low), _usual(price, work))
        if work.prompt_high is not None and work.answers_high is not None:
            cost_high = cost_of(Usage(work.prompt_high, work.answers_high), dearest(price, work.longest_prompt))
    return Estimate(work.requests, tokens_low, tokens_high, low_s, high_s, cost_low, cost_high)


def _stream_s(work: Workload, answers: int, ttft_s: float, tpot_s: float) -> float:
    """How long a stream of mean length takes."""
    return ttft_s + tpot_s * answers / work.requests if work.requests else 0.0


def _turns(work: Workload, concurrency: int) -> int:
    """How many streams have to follow one another."""
    return math.ceil(work.requests / max(1, concurrency))


def _held_back_s(amount: int, per_minute: int | None) -> float:
    return max(0, amount) * 60 / per_minute if per_minute else 0.0


def _usual(price: Price, work: Workload) -> Price:
    """The rates of a prompt of mean length: all prompts together would reach a tier that none of them does."""
    rates = price.rates(work.prompt_low // work.requests if work.requests else 0)
    return Price(rates.input, rates.output)


def _estimated_prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    return estimated_tokens(sum(map(_content_chars, messages)))


def _content_chars(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return sum(len(text) for text in texts if isinstance(text, str))
