"""What tokens cost, and how sure that is. Decimal throughout; looks no price up and knows no provider.

Prices are USD per million tokens, as providers publish them. A price that is not known is None and is drawn
`?`; it never becomes 0.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from tui.core.calls import Usage
from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

MILLION = Decimal(1_000_000)
_MOST_DIGITS = 12
_AMOUNT = re.compile(r"\d{1,9}(\.\d{0,12})?|\.\d{1,12}", re.ASCII)
_HINT = 'give USD per million tokens, such as --price "in=2.5,out=10" or "in=2.5,out=10,cached=0.25"'


class CostSource(StrEnum):
    """How an amount came about. Ordered from the strongest to the weakest; a sum is as weak as its parts."""

    BILLED = "billed by usage"
    """The server counted the tokens."""
    ESTIMATED = "estimated"
    """We counted the tokens."""
    POSSIBLY_BILLED = "possibly billed"
    """An attempt died after it was sent; the provider may or may not charge for it."""
    UNPRICED = "unpriced"
    """No price is known for the model."""


_WEAKNESS = {source: rank for rank, source in enumerate(CostSource)}


def weakest(first: CostSource, second: CostSource) -> CostSource:
    """The less certain of two provenances."""
    return max(first, second, key=_WEAKNESS.__getitem__)


class Money(msgspec.Struct, frozen=True):
    """An amount in USD with its provenance. `NOTHING` is the neutral element of `+`."""

    amount: Decimal | None
    """None: unpriced. A sum with an unpriced part is unpriced: a part of a bill is not the bill."""
    source: CostSource

    def __add__(self, other: "Money") -> "Money":
        amount = None if self.amount is None or other.amount is None else self.amount + other.amount
        return Money(amount, weakest(self.source, other.source))


NOTHING = Money(Decimal(0), CostSource.BILLED)
UNPRICED = Money(None, CostSource.UNPRICED)


class Tier(msgspec.Struct, frozen=True):
    """Rates for a request with a long prompt. They apply to all of its tokens, not only to those above."""

    above: int
    """The tier is reached by more prompt tokens than this."""
    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    """None: as `input`."""


class Price(msgspec.Struct, frozen=True):
    """What a model charges: USD per million tokens."""

    input: Decimal
    output: Decimal
    """Reasoning tokens are output tokens."""
    cached: Decimal | None = None
    """Prompt tokens read from the provider's cache; None: as `input`."""
    tiers: tuple[Tier, ...] = ()
    """By `above`, ascending."""
    origin: str = ""
    """Where the figures come from, for people: `genai-prices 0.2.3, openai gpt-4o`, `--price`."""

    def rates(self, prompt_tokens: int) -> "Price | Tier":
        """The rates for a request with a prompt of that many tokens."""
        reached = [tier for tier in self.tiers if prompt_tokens > tier.above]
        return max(reached, key=lambda tier: tier.above) if reached else self

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a journal or JSON; decimals become strings."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> "Price":
        """The reverse of `to_dict`; msgspec.ValidationError or ValueError when it is something else."""
        price = msgspec.convert(plain, cls)
        every_rate: tuple[Price | Tier, ...] = (price, *price.tiers)
        for rates in every_rate:
            for rate in (rates.input, rates.output, rates.cached):
                if rate is not None and not _is_rate(rate):
                    raise ValueError(f"{rate} is no price")
        return price


def _is_rate(rate: Decimal) -> bool:
    """An amount such as people write: one of a million digits is no price, and would make sums as long."""
    if not rate.is_finite() or rate.is_signed():
        return False
    return rate.is_zero() or -_MOST_DIGITS <= rate.adjusted() < _MOST_DIGITS


def cost_of(usage: Usage, price: Price) -> Decimal:
    """USD for these tokens, exact. Cached tokens are inside `prompt`, reasoning inside `completion`."""
    rates = price.rates(usage.prompt)
    # Servers have been seen to report more cached than prompt tokens: the surplus is not billed.
    cached = min(usage.cached, usage.prompt)
    cached_rate = rates.input if rates.cached is None else rates.cached
    fresh_cost = (usage.prompt - cached) * rates.input
    return (fresh_cost + cached * cached_rate + usage.completion * rates.output) / MILLION


def parse_price(text: str) -> Price:
    """`in=2.5,out=10,cached=0.25` as a Price; UsageError that names `--price` when it is something else."""
    rates: dict[str, Decimal] = {}
    for part in text.split(","):
        name, equals, amount = (piece.strip() for piece in part.partition("="))
        shown = clean_line(part)
        if not equals or name not in {"in", "out", "cached"}:
            raise UsageError("--price", f'expected in=, out= or cached=, got "{shown}"', _HINT)
        if name in rates:
            raise UsageError("--price", f'"{name}" is given twice', _HINT)
        if _AMOUNT.fullmatch(amount) is None:
            raise UsageError("--price", f'expected an amount in USD, got "{shown}"', _HINT)
        rates[name] = Decimal(amount)
    for name in ("in", "out"):
        if name not in rates:
            raise UsageError("--price", f'"{name}=" is missing', _HINT)
    return Price(rates["in"], rates["out"], rates.get("cached"), origin="--price")
