"""Which calls a load run makes, in what order."""

from collections.abc import Iterator
from itertools import islice

from tui.core.ramp import parse_ramp
from tui.files.prompts import Prompt
from tui.jobs.load import Shape, default_prompts, load_plans, prompts_of

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


def test_numbers_go_on_where_another_run_left_them_and_warm_up_with_them() -> None:
    plans = list(load_plans(lambda: iter(ASKED), "m", {}, None, 2, warmup=2, first=41))
    assert [(plan.id, plan.warmup) for plan in plans] == [(41, True), (42, True), (43, False), (44, False)]


def test_the_seed_decides_the_schedule() -> None:
    shape = Shape("poisson", 600)
    one, same, other = (list(islice(shape.schedule(seed) or (), 50)) for seed in (1, 1, 2))
    assert one == same != other


def test_a_closed_loop_has_no_schedule_and_few_slots() -> None:
    assert Shape().schedule(1) is None
    assert (Shape().concurrency, Shape("constant", 60).concurrency) == (8, 1000)


def test_the_record_says_how_calls_arrived() -> None:
    assert Shape().notes() == {"arrival": "closed"}
    assert Shape("gamma", 60, 0.5).notes() == {"arrival": "gamma", "burstiness": 0.5, "rate_rpm": 60}
    ramp = {"start_rpm": 60, "end_rpm": 600, "duration_s": 120.0, "step_rpm": 60}
    assert Shape("constant", parse_ramp("60..600/2m:60")).notes() == {"arrival": "constant", "ramp": ramp}
