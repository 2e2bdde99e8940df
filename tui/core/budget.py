"""A limit in USD that a run cannot pass, and the most that one attempt can cost. Decimal throughout.

An attempt reserves the most that it can cost before it is sent, and settles when its cost is known. What is spent and
what is reserved never exceed the limit together, so that nothing is spent beyond it, whatever order things end in.
Counts no tokens and sends nothing: a prompt's upper bound comes from its bytes, for that holds for tokenisers that
nobody here knows. It is four to five times the tokens of English prose; what is reserved too much is free again as
soon as the server has counted.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

import msgspec

from tui.core import figures
from tui.core.calls import CallPlan, Usage
from tui.core.errors import UsageError
from tui.core.money import Price, Tier, cost_of
from tui.core.untrusted import clean_line

MESSAGE_TOKENS = 16
"""Role markers around a message; OpenAI's take 3, Llama 3's template 5. The role's name is in the bytes already."""
REQUEST_TOKENS = 128
"""What a server may put around a conversation by itself. A choice: OpenAI adds 3, Qwen 2.5's default system prompt has
about 20, Llama 3's dates 25, gpt-oss' preamble 70. Some add hundreds (Mistral Small's default system prompt in some
templates). What one of those charges beyond the bound is put on top from its first count on (engine/purse.py)."""
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

    def raise_to(self, limit: Decimal) -> None:
        """Let more be spent. ValueError when `limit` is not above the one so far: money cannot be asked back."""
        if _checked(limit) <= self.limit:
            raise ValueError(f"{limit} USD is not above the budget of {self.limit}")
        self.limit = limit

    def refusal(self, worst: Decimal) -> str:
        """Why an attempt is not sent, for people. What is reserved is named apart: most of it will be free again."""
        unspent = figures.usd(max(_ZERO, _EXACT.subtract(self.limit, self.spent)))
        why = f"may cost up to {figures.usd(worst)}, and {unspent} of the budget of {figures.usd(self.limit)} is left"
        return f"{why}, of which {figures.usd(self.reserved)} is reserved for calls under way" if self.reserved else why


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
    return cost_of(Usage(prompt, answers), dearest(price, prompt))


def most_prompt_tokens(plan: CallPlan) -> int:
    """More tokens than the prompt can have. UnboundedCost when it holds more than text.

    A token of byte-level BPE, or of SentencePiece with byte fall-back, stands for one byte of text or more, after
    whatever normal form its tokeniser prefers. Tool calls and parameters count twice, for servers write them, tool
    definitions and schemas into the prompt, some with indentation: a run of blanks, thus a token or two, at each
    bracket. A parameter that is a number or a truth value is not written into prompts.
    """
    tools = bool(plan.params.get("tools") or plan.params.get("functions"))
    written = [value for value in plan.params.values() if isinstance(value, str | list | tuple | Mapping)]
    return (
        REQUEST_TOKENS
        + sum(map(_most_message_tokens, plan.messages))
        + TOOLS_TOKENS * tools
        + 2 * sum(map(_json_bytes, written))
    )


def _most_message_tokens(message: Mapping[str, Any]) -> int:
    most = MESSAGE_TOKENS
    for field, value in message.items():
        if isinstance(value, str):
            most += _text_bytes(value)
        elif field == "content" and isinstance(value, list):
            most += sum(map(_most_part_tokens, value))
        elif value is not None:
            most += 2 * _json_bytes(value)
    return most


def _most_part_tokens(part: object) -> int:
    if isinstance(part, dict) and part.get("type", "text") in ("text", "refusal"):
        return _most_message_tokens(part)  # what stands between two parts is no more than around a message
    kind = clean_line(str(part.get("type")))[:40] if isinstance(part, dict) else type(part).__name__
    raise UnboundedCost(
        "--budget", f'the cost of a "{kind}" in a prompt has no known bound', "leave it, or --budget, out"
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


def dearest(price: Price, most_prompt: int) -> Price:
    """The highest rates that a prompt of up to so many tokens can meet, for what is a bound must not guess the tier."""
    reached: list[Price | Tier] = [price, *(tier for tier in price.tiers if tier.above < most_prompt)]
    inputs = [rates.input for rates in reached] + [rates.cached for rates in reached if rates.cached is not None]
    return Price(max(inputs), max(rates.output for rates in reached))


def _text_bytes(text: str) -> int:
    """Bytes of a text in the longest of the forms that a tokeniser may bring it into: NFC can triple, NFKC more."""
    if text.isascii():
        return len(text)
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFKC", text))
    return max(len(form.encode("utf-8", "surrogatepass")) for form in forms)


def _json_bytes(value: object) -> int:
    try:
        return len(msgspec.json.encode(value))
    except UnicodeEncodeError:  # lone surrogates, which the request escapes too
        return len(json.dumps(value))
