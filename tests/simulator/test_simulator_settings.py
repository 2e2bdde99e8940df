import argparse

import pytest

from tui.core.errors import UsageError
from tui.simulator.arguments import add_arguments, settings_from
from tui.simulator.settings import SimulatorSettings, parse_models


def parsed(*argv):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return settings_from(parser.parse_args(argv))


def test_no_flags_are_the_defaults_on_the_usual_port():
    assert parsed() == SimulatorSettings(port=8600)


def test_every_flag_reaches_its_setting():
    flags = (
        "--host 127.0.0.2 --port 0 --seed 5 --ttft 1s --itl 5ms --jitter 0.1 --tokens 7 "
        "--tokens-jitter 0.2 --same-answers --coalesce 4"
        " --models a:2,b --rpm 60 --tpm 900 --error-rate 0.1 --limit-rate 0.2 --retry-after 50ms --reset-rate 0.3 "
        "--stall-rate 0.05 --stall 2s --invalid-rate 0.4"
    )
    assert parsed(*flags.split()) == SimulatorSettings(
        host="127.0.0.2",
        port=0,
        seed=5,
        ttft_s=1.0,
        itl_s=0.005,
        jitter=0.1,
        tokens=7,
        tokens_jitter=0.2,
        same_answers=True,
        coalesce=4,
        models=(("a", 2.0), ("b", 1.0)),
        rpm=60,
        tpm=900,
        error_rate=0.1,
        refuse_rate=0.2,
        retry_after_s=0.05,
        reset_rate=0.3,
        stall_rate=0.05,
        stall_s=2.0,
        invalid_rate=0.4,
    )


def test_every_flag_of_the_limits_reaches_its_setting():
    flags = "--rpm 600 --burst 20 --concurrency-limit 8 --header-style azure --limit-kind token-bucket"
    assert parsed(*flags.split()) == SimulatorSettings(
        port=8600, rpm=600, burst=20, concurrency_limit=8, header_style="azure"
    )
    assert parsed("--limit-kind", "sliding-window").limit_kind == "sliding-window"


@pytest.mark.parametrize(
    ("given", "style", "duration_s"),
    [
        ("--retry-after short", "short", 1.0),
        ("--retry-after none --retry-after 5s", "none", 5.0),
        ("--retry-after 5s --retry-after none", "none", 5.0),
        ("--retry-after honest", "honest", 1.0),
    ],
)
def test_retry_after_takes_a_manner_and_a_duration(given, style, duration_s):
    settings = parsed(*given.split())
    assert (settings.retry_after_style, settings.retry_after_s) == (style, duration_s)


def test_a_style_that_is_not_known_is_named_when_no_flag_was_read():
    with pytest.raises(UsageError) as refused:
        SimulatorSettings(retry_after_style="late")
    assert refused.value.where == "--retry-after"
    assert "honest, none, short" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "models"),
    [
        ("a", (("a", 1.0),)),
        ("a:2, b:0.5", (("a", 2.0), ("b", 0.5))),
        ("llama3:8b", (("llama3:8b", 1.0),)),
        ("llama3:8b:2", (("llama3:8b", 2.0),)),
    ],
)
def test_models_are_names_and_speeds(text, models):
    assert parse_models(text) == models


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ("--ttft soon", "--ttft"),
        ("--itl 100h", "--itl"),
        ("--stall 1y", "--stall"),
        ("--jitter 2", "--jitter"),
        ("--jitter nan", "--jitter"),
        ("--tokens 0", "--tokens"),
        ("--tokens 100000000", "--tokens"),
        ("--coalesce 0", "--coalesce"),
        ("--rpm 0", "--rpm"),
        ("--tpm -5", "--tpm"),
        ("--error-rate 1.5", "--error-rate"),
        ("--invalid-rate 1.5", "--invalid-rate"),
        ("--limit-rate -1", "--limit-rate"),
        ("--reset-rate 0.6 --stall-rate 0.6", "--error-rate"),
        ("--port 70000", "--port"),
        ("--limit-kind leaky", "--limit-kind"),
        ("--rpm 5 --burst 0", "--burst"),
        ("--burst 5", "--burst"),
        ("--rpm 5 --burst 5 --limit-kind fixed-window", "--burst"),
        ("--concurrency-limit 0", "--concurrency-limit"),
        ("--header-style ietf", "--header-style"),
        ("--retry-after sometimes", "--retry-after"),
        ("--models a,a", "--models"),
        ("--models a:0", "--models"),
        ("--models a:inf", "--models"),
        ("--models ,", "--models"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_a_hint(flags, named):
    with pytest.raises(UsageError) as refused:
        parsed(*flags.split())
    assert refused.value.where == named
    assert refused.value.hint


def test_settings_survive_the_way_to_another_process():
    settings = SimulatorSettings(
        models=(("a", 2.0), ("b", 0.5)), stall_s=3.0, rpm=7, burst=2, retry_after_style="short"
    )
    assert SimulatorSettings.from_json(settings.as_json()) == settings
