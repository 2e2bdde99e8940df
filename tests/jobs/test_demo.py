"""The demo's provider and run fit each other."""

from decimal import Decimal
from pathlib import Path

from tui.jobs.demo import DEMO_PRICE, demo_setup, demo_simulator


def test_the_demo_asks_the_model_that_its_provider_has() -> None:
    settings = demo_simulator(seed=7)
    setup = demo_setup(
        "http://127.0.0.1:1/v1", requests=20, concurrency=3, rpm=60, seed=7, price=DEMO_PRICE, out=Path("runs")
    )
    plans = list(setup.plans)
    assert len(plans) == setup.planned == 20
    assert {plan.model for plan in plans} == {setup.model} == {name for name, _ in settings.models}
    assert (setup.job, setup.concurrency, setup.rpm, setup.out) == ("demo", 3, 60, Path("runs"))
    assert setup.price is not None
    assert setup.price.output > setup.price.input > Decimal(0)


def test_the_demo_meets_every_fault() -> None:
    settings = demo_simulator(seed=7)
    assert min(settings.error_rate, settings.refuse_rate, settings.reset_rate, settings.stall_rate) > 0
    # A stall is noticed while people still look.
    setup = demo_setup("http://h/v1", requests=1, concurrency=1, rpm=60, seed=7, price=DEMO_PRICE, out=None)
    assert setup.limits.idle_s < 10


def test_the_same_seed_is_the_same_demo() -> None:
    def asked(seed: int) -> list[str]:
        setup = demo_setup("http://h/v1", requests=12, concurrency=1, rpm=60, seed=seed, price=DEMO_PRICE, out=None)
        return [plan.prompt for plan in setup.plans]

    assert demo_simulator(3) == demo_simulator(3) != demo_simulator(4)
    assert asked(3) == asked(3) != asked(4)
