"""Which calls a load run makes, in what order."""

from collections.abc import Iterator
from itertools import islice

from tui.files.prompts import Prompt
from tui.jobs.load import default_prompts, load_plans, prompts_of

ASKED = prompts_of(["one", "two", "three"])


def test_prompts_come_again_until_there_are_enough_calls() -> None:
    plans = list(load_plans(lambda: iter(ASKED), "m", {}, None, 5, warmup=0))
    assert [plan.id for plan in plans] == [1, 2, 3, 4, 5]
    assert [plan.prompt for plan in plans] == ["one", "two", "three", "one", "two"]
    assert {plan.model for plan in plans} == {"m"}


def test_warm_up_calls_come_first_and_on_top() -> None:
    plans = list(load_plans(lambda: iter(ASKED), "m", {}, None, 2, warmup=2))
    assert [(plan.prompt, plan.warmup) for plan in plans] == [
        ("one", True), ("two", True), ("three", False), ("one", False),
    ]  # fmt: skip


def test_without_a_number_there_is_no_end() -> None:
    plans = load_plans(lambda: iter(ASKED), "m", {}, None, None, warmup=1)
    assert next(islice(plans, 9_999, None)).id == 10_000


def test_a_prompts_own_fields_go_before_the_runs() -> None:
    prompt = Prompt(({"role": "user", "content": "a"},), {"max_tokens": 2})
    (plan,) = load_plans(lambda: iter([prompt]), "m", {"max_tokens": 9, "top_p": 1}, None, 1, warmup=0)
    assert plan.params == {"max_tokens": 2, "top_p": 1}


def test_a_system_message_goes_in_front_unless_the_prompt_has_one() -> None:
    own = Prompt(({"role": "system", "content": "own"}, {"role": "user", "content": "a"}))
    first, second = load_plans(lambda: iter([own, *ASKED]), "m", {}, "given", 2, warmup=0)
    assert first.messages == own.messages
    assert second.messages == ({"role": "system", "content": "given"}, *ASKED[0].messages)


def test_a_corpus_is_read_as_it_is_needed_and_never_held() -> None:
    read = 0

    def corpus() -> Iterator[Prompt]:
        nonlocal read
        for prompt in ASKED:
            read += 1
            yield prompt

    plans = load_plans(corpus, "m", {}, None, 1_000_000, warmup=0)
    assert read == 0
    next(plans)
    assert read == 1


def test_the_seed_decides_the_order_of_the_built_in_prompts() -> None:
    assert default_prompts(1) == default_prompts(1) != default_prompts(2)
    assert sorted(map(str, default_prompts(1))) == sorted(map(str, default_prompts(None)))
