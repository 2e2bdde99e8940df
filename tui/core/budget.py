"""A limit in USD that a run cannot pass, and what a run may cost before it starts. Decimal throughout.

An attempt reserves the most that it can cost before it is sent, and settles when its cost is known. What is spent and
what is reserved never exceed the limit together, so that nothing is spent beyond it, whatever order things end in.
Counts no tokens and sends nothing: a prompt's upper bound comes from its bytes.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any

import msgspec

from tui.core import figures
from tui.core.calls import CallPlan, Usage
from tui.core.errors import UsageError
from tui.core.live_tokens import estimated_tokens
from tui.core.money import Price, Tier, cost_of
from tui.core.untrusted import clean_line

MESSAGE_TOKENS = 16
"""Role markers around a message; OpenAI's take 3, Llama 3's template 5. The role's name is in the bytes already."""
REQUEST_TOKENS = 512
"""What a server may put before the conversation by itself: a default system prompt, a date. A choice, not a measure."""
TOOLS_TOKENS = 1_024
"""The instructions that come with tool definitions: Anthropic documents 346 for newer models, 530 for older ones."""

_AMOUNT = re.compile(r"\d{1,9}(\.\d{0,12})?|\.\d{1,12}", re.ASCII)
# The default 28 digits would round a sum of amounts: a price has up to 21, tokens 12 more.
_EXACT = Context(prec=80)
_ZERO = Decimal(0)


class UnboundedCost(UsageError):
    """A request whose cost has no upper bound, so that no budget can hold it."""


def parse_budget(text: str) -> Decimal:
    """USD in `text`, above 0; UsageError that names `--budget` when it is something else."""
    if _AMOUNT.fullmatch(text.strip()) is None or not Decimal(text.strip()):
        raise UsageError(
            "--budget", f'expected an amount in USD above 0, got "{clean_line(text[:60])}"', "such as --budget 0.50"
        )
    return Decimal(text.strip())


# ── while it runs ──────────────────────────────────────────────────────────────────────────────────────


class Budget:
    """USD that may be spent. Every attempt, a repeated one too, reserves anew before it is sent."""

    def __init__(self, limit: Decimal) -> None:
        self.limit = _checked(limit)
        self.spent = _ZERO
        """Of settled attempts; more than `limit` only when a server charged more than an attempt could cost."""
        self.reserved = _ZERO
        """What the attempts under way may still cost."""

    @property
    def left(self) -> Decimal:
        """Neither spent nor reserved; never below 0."""
        return max(_ZERO, _EXACT.subtract(self.limit, _EXACT.add(self.spent, self.reserved)))

    def reserve(self, worst: Decimal) -> bool:
        """Set the most that an attempt can cost aside; False, and nothing changed, when it would pass the limit."""
        if _EXACT.add(_EXACT.add(self.spent, self.reserved), _checked(worst)) > self.limit:
            return False
        self.reserved = _EXACT.add(self.reserved, worst)
        return True

    def may_fit_later(self, worst: Decimal) -> bool:
        """Whether it would fit if all that is under way cost nothing.

        While this holds, an attempt that does not fit now may wait for others to settle instead of being refused.
        """
        return _EXACT.add(self.spent, _checked(worst)) <= self.limit

    def settle(self, reserved: Decimal, actual: Decimal) -> None:
        """An attempt that reserved so much has ended and cost so much (see `charge`)."""
        if _checked(reserved) > self.reserved:
            raise ValueError(f"settles {reserved} USD where {self.reserved} are reserved")
        self.spent = _EXACT.add(self.spent, _checked(actual))
        self.reserved = _EXACT.subtract(self.reserved, reserved)

    def refusal(self, worst: Decimal) -> str:
        """Why an attempt is not sent, for people."""
        return (
            f"may cost up to {figures.usd(worst)}, and {figures.usd(self.left)} "
            f"of the budget of {figures.usd(self.limit)} is left"
        )


def charge(worst: Decimal, price: Price, usage: Usage | None, may_be_billed: bool) -> Decimal:
    """What an ended attempt counts for. `usage` is the server's own count; a count of ours is no bill, so leave it out.

    Without one, an attempt that may be billed counts for its worst case for good, one that was refused for nothing.
    """
    if usage is not None:
        return cost_of(usage, price)
    return worst if may_be_billed else _ZERO


def _checked(amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{amount} is no amount of money")
    return amount


# ── the most that one attempt can cost ─────────────────────────────────────────────────────────────────


def worst_cost(plan: CallPlan, price: Price | None, most_answer_tokens: int | None = None) -> Decimal:
    """The most USD that one attempt of a call can cost.

    `most_answer_tokens` is a bound for requests that state none (the model's own), per answer. Raises UsageError for a
    model without a price, UnboundedCost where neither the request nor the caller bounds it.
    """
    if price is None:
        raise UsageError(
            "--budget", f'no price is known for "{clean_line(plan.model)}"', 'state one: --price "in=2.5,out=10"'
        )
    prompt, answers = most_prompt_tokens(plan), most_completion_tokens(plan, most_answer_tokens)
    return cost_of(Usage(prompt, answers), _dearest(price, prompt))


def most_prompt_tokens(plan: CallPlan) -> int:
    """More tokens than the prompt can have. UnboundedCost when it holds more than text.

    A token of byte-level BPE, or of SentencePiece with byte fall-back, stands for one byte of text or more, and the
    JSON of a text has no fewer bytes than the text. Parameters count twice, for servers write tool definitions and
    schemas into the prompt, some of them with indentation: a run of blanks, thus a token or two, at each bracket.
    """
    for message in plan.messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if not isinstance(part, dict) or part.get("type", "text") not in ("text", "refusal"):
                kind = clean_line(str(part.get("type")))[:40] if isinstance(part, dict) else type(part).__name__
                raise UnboundedCost(
                    "--budget", f'the cost of a "{kind}" in a prompt has no known bound', "leave it, or --budget, out"
                )
    tools = bool(plan.params.get("tools") or plan.params.get("functions"))
    return (
        REQUEST_TOKENS
        + MESSAGE_TOKENS * len(plan.messages)
        + TOOLS_TOKENS * tools
        + _json_bytes(plan.messages)
        + 2 * (_json_bytes(plan.params) if plan.params else 0)
    )


def most_completion_tokens(plan: CallPlan, most_answer_tokens: int | None = None) -> int:
    """The most completion tokens that all answers to a request may have together.

    Two different maxima count as the larger: servers differ in which of them they heed. What is no whole number above
    0 (-1 means "no limit" to some) bounds nothing: UnboundedCost.
    """
    stated = [_whole(name, plan.params.get(name)) for name in ("max_completion_tokens", "max_tokens")]
    most = max((bound for bound in stated if bound is not None), default=most_answer_tokens)
    if most is None:
        raise UnboundedCost(
            "--budget", "a request that states no most tokens may cost any amount", "state it: --max-tokens 500"
        )
    # `best_of` answers are generated, and billed, to show `n` of them.
    answers = max(_whole("n", plan.params.get("n")) or 1, _whole("best_of", plan.params.get("best_of")) or 1)
    return answers * most


def _whole(name: str, value: object) -> int | None:
    """A parameter that bounds something; None when it is absent."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UnboundedCost(
            "--budget", f'"{name}" bounds nothing: it must be a whole number of 1 or more', "correct it"
        )
    return value


def _dearest(price: Price, most_prompt: int) -> Price:
    """The highest rates that a prompt of up to so many tokens can meet, for what is a bound must not guess the tier."""
    reached: list[Price | Tier] = [price, *(tier for tier in price.tiers if tier.above < most_prompt)]
    inputs = [rates.input for rates in reached] + [rates.cached for rates in reached if rates.cached is not None]
    return Price(max(inputs), max(rates.output for rates in reached))


def _json_bytes(value: object) -> int:
    try:
        return len(msgspec.json.encode(value))
    except UnicodeEncodeError:  # lone surrogates, which the request escapes too
        return len(json.dumps(value))


# ── before it runs ─────────────────────────────────────────────────────────────────────────────────────

FAST_TTFT_S, FAST_TPOT_S = 0.2, 0.005
SLOW_TTFT_S, SLOW_TPOT_S = 2.0, 0.05
"""Between which a server is taken to be: 200 tokens a second after 0.2 s, and 20 after 2 s."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run asks for, all requests together."""

    requests: int = 0
    prompt_low: int = 0
    """Tokens by the rule of four characters a token."""
    prompt_high: int | None = 0
    """Their upper bound; None when some prompt has none."""
    longest_prompt: int = 0
    """The upper bound of a single one: it decides which rates may apply."""
    answers_low: int = 0
    """Completion tokens that are expected."""
    answers_high: int | None = 0
    """The most that are allowed; None when some request has no bound."""


def workload(
    plans: Iterable[CallPlan], expected_tokens: int | None = None, most_answer_tokens: int | None = None
) -> Workload:
    """Add up what these plans ask for, each sent once.

    `expected_tokens` of one request; None: one, the least there can be.
    """
    requests = prompt_low = longest = answers_low = 0
    prompt_high: int | None = 0
    answers_high: int | None = 0
    for plan in plans:
        requests += 1
        prompt_low += estimated_tokens(sum(map(_content_chars, plan.messages)))
        most_prompt = _unless_unbounded(most_prompt_tokens, plan)
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

    Low: four characters a token, answers as long as expected, a fast server, `burst` requests and a tenth of a
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
            cost_high = cost_of(Usage(work.prompt_high, work.answers_high), _dearest(price, work.longest_prompt))
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


def _content_chars(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    texts = (part.get("text") if isinstance(part, dict) else part for part in parts)
    return sum(len(text) for text in texts if isinstance(text, str))
