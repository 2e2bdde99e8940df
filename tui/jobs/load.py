"""A load run: the same few prompts, many times over. Which calls, in what order; nothing about how they are made."""

import random
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

from tui.core.calls import CallPlan
from tui.files.prompts import Prompt

DEFAULT_REQUESTS = 20

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
) -> Iterator[CallPlan]:
    """`warmup` calls and then `requests` more (None: without end), over the prompts again and again.

    A prompt's own parameters go before the run's. `prompts` is called anew for each pass, so that a large
    file is never held in memory.
    """
    total = None if requests is None else warmup + requests
    passes = (prompt for _ in count() for prompt in prompts())
    for number, prompt in enumerate(islice(passes, total), start=1):
        messages = prompt.messages
        if system is not None and not any(message.get("role") == "system" for message in messages):
            messages = ({"role": "system", "content": system}, *messages)
        yield CallPlan(number, model, messages, {**params, **prompt.params}, warmup=number <= warmup)
