"""A load run: the same few prompts, many times over. Which calls, in what order and when they are due; nothing about
how they are made.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from tui.core.arrivals import Arrival, offsets
from tui.core.calls import CallPlan
from tui.core.ramp import Ramp
from tui.files.prompts import Prompt

DEFAULT_REQUESTS = 20
DEFAULT_CONCURRENCY = 8
OPEN_LOOP_CONCURRENCY = 1000
"""Of a run with a schedule, unless told otherwise: slots are not to hold arrivals back."""

_TOPICS = (
    "Explain how a weir measures the flow of a river, for a curious twelve-year-old.",
    "List five habits of teams that ship reliable software, with a sentence on each.",
    "Write a short story about a lighthouse keeper who learns to read the tides by sound.",
    "What happens, step by step, when a browser opens a TCP connection?",
    "Compare token buckets and sliding windows as rate limits. When does each one hurt?",
    "Summarise the water cycle in three bullet points.",
    "Draft a friendly note to a customer whose parcel is a week late.",
    "Why do queues grow without bound as utilisation nears one? Use no formulas.",
    "Suggest a weekend plan for a rainy city with two children and no car.",
    "Describe the taste of bread to someone who has never eaten any.",
    "Give three reasons why percentiles cannot be averaged, with one example.",
    "How does a salmon find the stream where it was born?",
)
"""What is asked when nobody says what to ask: short, and of answers that differ in length."""


@dataclass(frozen=True, slots=True)
class Shape:
    """When calls arrive: as slots fall free (a closed loop), or by a schedule (an open one)."""

    arrival: Arrival = "closed"
    rate: int | Ramp | None = None
    """Calls a minute; None in a closed loop, and only there."""
    burstiness: float = 1.0
    """Of `gamma` only."""

    @property
    def concurrency(self) -> int:
        """Streams at once, unless somebody says otherwise."""
        return DEFAULT_CONCURRENCY if self.arrival == "closed" else OPEN_LOOP_CONCURRENCY

    def schedule(self, seed: int | None) -> Iterator[float] | None:
        """Seconds since the run's start at which calls are due; None in a closed loop. ValueError: see `offsets`."""
        return None if self.rate is None else offsets(self.arrival, self.rate, self.burstiness, seed)

    def notes(self) -> dict[str, Any]:
        """For the record of a run."""
        if self.rate is None:
            return {"arrival": "closed"}
        said: dict[str, Any] = {"arrival": self.arrival}
        if self.arrival == "gamma":
            said["burstiness"] = self.burstiness
        if isinstance(self.rate, Ramp):
            ramp = self.rate
            said["ramp"] = {
                "start_rpm": ramp.start_rpm,
                "end_rpm": ramp.end_rpm,
                "duration_s": ramp.duration_s,
                "step_rpm": ramp.step_rpm,
            }
        else:
            said["rate_rpm"] = self.rate
        return said


def prompts_of(texts: list[str]) -> list[Prompt]:
    """Prompts from the command line."""
    return [Prompt(({"role": "user", "content": text},)) for text in texts]


def default_prompts(seed: int | None) -> list[Prompt]:
    """Twelve prompts of our own, in an order that `seed` decides."""
    topics = list(_TOPICS)
    if seed is not None:
        random.Random(seed).shuffle(topics)
    return prompts_of(topics)


def load_plans(
    prompts: Callable[[], Iterator[Prompt]],
    model: str,
    params: dict[str, Any],
    system: str | None,
    requests: int | None,
    warmup: int,
    first: int = 1,
) -> Iterator[CallPlan]:
    """`warmup` calls and then `requests` more (None: without end), over the prompts again and again.

    A prompt's own parameters go before the run's. `prompts` is called anew for each pass, so that a large
    file is never held in memory. The first call gets the number `first`.
    """
    total = None if requests is None else warmup + requests
    passes = (prompt for _ in count() for prompt in prompts())
    for number, prompt in enumerate(islice(passes, total), start=first):
        messages = prompt.messages
        if system is not None and not any(message.get("role") == "system" for message in messages):
            messages = ({"role": "system", "content": system}, *messages)
        yield CallPlan(number, model, messages, {**params, **prompt.params}, warmup=number < first + warmup)
