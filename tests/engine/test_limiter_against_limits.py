"""Our limiter at exactly a server's limit, five virtual minutes long: the server has nothing to refuse.

Except a token bucket that holds no more than our own burst: no pace equal to its refill is even enough for it.
"""

import asyncio
import random

import pytest

from tui.engine.limiter import Limiter
from tui.simulator.limits import Limits
from tui.simulator.settings import SimulatorSettings

pytestmark = pytest.mark.looptime(noop_cycles=1)

MINUTES = 5
KINDS = {
    "token bucket of a minute's worth": ("token-bucket", None, None),
    "token bucket of 5, our own burst": ("token-bucket", 5, None),
    # One more than ours: two that took unequal ways arrive closer together than they were let go.
    "token bucket of 6, burst of 5": ("token-bucket", 6, 5),
    "token bucket of 2": ("token-bucket", 2, 1),
    "fixed window": ("fixed-window", None, None),
    "fixed window, all at once": ("fixed-window", None, 120),
    "sliding window": ("sliding-window", None, None),
    "sliding window, all at once": ("sliding-window", None, 120),
}


@pytest.mark.parametrize("rpm", [7, 120])
@pytest.mark.parametrize(("kind", "theirs", "ours"), KINDS.values(), ids=KINDS)
async def test_a_rate_equal_to_the_servers_limit_is_never_refused(
    kind: str, theirs: int | None, ours: int | None, rpm: int
) -> None:
    loop = asyncio.get_running_loop()
    draw = random.Random(f"{kind} {theirs} {ours} {rpm}")
    limits = Limits(
        "m", SimulatorSettings(rpm=rpm, limit_kind=kind, burst=theirs), loop.time(), wall_offset_s=draw.uniform(0, 60)
    )
    limiter = Limiter(rpm=rpm, burst=ours)
    ends_at = loop.time() + 60 * MINUTES
    refused, passed = [], 0

    async def caller() -> None:
        nonlocal passed
        while True:
            await limiter.acquire()
            # The way there differs from one to the next by less than the limiter's margin.
            await asyncio.sleep(0.02 + draw.uniform(0, 0.005))
            if loop.time() > ends_at:
                return
            refusal = limits.admit(1, loop.time())
            passed += refusal is None
            refused.extend([refusal] if refusal is not None else [])

    await asyncio.gather(*(caller() for _ in range(8)))
    assert refused == []
    assert passed >= 0.97 * rpm * MINUTES
