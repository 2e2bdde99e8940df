"""What a run's history keeps of one step of time. Two neighbours merge into the step of both, exactly.

It knows neither its place nor its width: core/history.py does.
"""

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal

from tui.core.calls import Usage
from tui.core.money import Price, cost_of
from tui.core.ratio_counts import RatioCounts

_PROMPT_EDGES = (32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288)
"""Every prompt length above which a price in genai-prices 0.2.3 changes.

Tokens are summed apart between them, so that a price that becomes known late still finds its tiers. A threshold
that is not in this list is judged by the mean prompt of the sum.
"""


class Spent:
    """Tokens of attempts that one price applies to."""

    __slots__ = ("attempts", "cached", "completion", "prompt")

    def __init__(self) -> None:
        self.attempts = self.prompt = self.completion = self.cached = 0

    def add(self, attempts: int, prompt: int, completion: int, cached: int) -> None:
        """Add what these attempts used."""
        self.attempts += attempts
        self.prompt += prompt
        self.completion += completion
        self.cached += cached

    def cost(self, price: Price) -> Decimal:
        """USD for all of it."""
        if price.tiers:
            # Rounded up, the mean of prompts between two edges lies between them as each of the prompts does.
            rates = price.rates(-(-self.prompt // self.attempts))
            price = Price(rates.input, rates.output, rates.cached)
        return cost_of(Usage(self.prompt, self.completion, cached=self.cached), price)


class Step:
    """Sums over one stretch of the run."""

    __slots__ = (
        "_cost", "_cost_by", "_quantiles", "_spent", "_ttft",
        "active_ns", "attempts", "chars", "failed", "queued_ns", "refused",
    )  # fmt: skip

    def __init__(self) -> None:
        self.attempts = 0
        self.refused = 0
        self.failed = 0
        self.chars = 0
        self.active_ns = 0
        """Attempts on the wire times how long: their mean is this over the time that it covers."""
        self.queued_ns = 0
        self._ttft: RatioCounts | None = None
        self._quantiles: tuple[int | None, int | None] | None = None
        """As last asked for; None when they have changed since."""
        self._spent: dict[tuple[str, int], Spent] = {}
        """By model, and by how many of the edges the prompt passes."""
        self._cost: float | None = None
        self._cost_by: Mapping[str, Price | None] | None = None
        """The table that `_cost` was reckoned with; None when it has to be reckoned anew."""

    def first_token(self, ttft_ns: int) -> None:
        """Count a TTFT."""
        if self._ttft is None:
            self._ttft = RatioCounts()
        self._ttft.record(ttft_ns)
        self._quantiles = None

    def spend(self, model: str, usage: Usage) -> None:
        """Count the tokens of an attempt."""
        # As in cost_of: what a server says was cached beyond the prompt is not billed.
        cached = min(usage.cached, usage.prompt)
        self._spent_on(model, bisect_left(_PROMPT_EDGES, usage.prompt)).add(1, usage.prompt, usage.completion, cached)

    def _spent_on(self, model: str, band: int) -> Spent:
        self._cost_by = None
        spent = self._spent.get((model, band))
        if spent is None:
            spent = self._spent[model, band] = Spent()
        return spent

    def absorb(self, later: "Step") -> None:
        """Become the step of both."""
        self.attempts += later.attempts
        self.refused += later.refused
        self.failed += later.failed
        self.chars += later.chars
        self.active_ns += later.active_ns
        self.queued_ns += later.queued_ns
        if later._ttft is not None:
            if self._ttft is None:
                self._ttft = RatioCounts()
            self._ttft.merge(later._ttft)
            self._quantiles = None
        for (model, band), spent in later._spent.items():
            self._spent_on(model, band).add(spent.attempts, spent.prompt, spent.completion, spent.cached)

    def ttft_quantiles(self) -> tuple[int | None, int | None]:
        """TTFT p50 and p95 (ns); None where no first token came."""
        if self._quantiles is None:
            found = self._ttft.quantiles(0.5, 0.95) if self._ttft is not None else None
            self._quantiles = (found[0], found[1]) if found is not None else (None, None)
        return self._quantiles

    def cost_usd(self, prices: Mapping[str, Price | None]) -> float | None:
        """Dollars for the attempts that ended in it, 0 when none did; None while any of their models has no price.

        The same table gets the same answer again: who changes a price comes with a new table.
        """
        if self._cost_by is not prices:
            self._cost, self._cost_by = self._reckon(prices), prices
        return self._cost

    def _reckon(self, prices: Mapping[str, Price | None]) -> float | None:
        total = Decimal(0)
        for (model, _), spent in self._spent.items():
            price = prices.get(model)
            if price is None:
                return None
            total += spent.cost(price)
        return float(total)


__all__ = ["Step"]
