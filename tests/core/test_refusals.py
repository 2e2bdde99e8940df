"""Why a server refuses, told from its words or from figures; the servers here live in virtual time."""

import heapq
import random
from collections import deque
from collections.abc import Callable
from itertools import count

import pytest

from tui.core.clock import NS_PER_S
from tui.core.refusals import KEPT, KEPT_REFUSALS, Refusals
from tui.core.views import Verdict

SEEDS = range(20)
SLOTS = 24

# ── servers ────────────────────────────────────────────────────────────────────────────────────────────


class Server:
    """Lets everything through; `admit` says why not, `release` that one has ended."""

    def __init__(self) -> None:
        self.held = 0

    def why_not(self, now_s: float) -> str | None:
        return None

    def admit(self, now_s: float) -> str | None:
        why = self.why_not(now_s)
        self.held += why is None
        return why


class AtOnce(Server):
    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def why_not(self, now_s: float) -> str | None:
        return "too many concurrent requests" if self.held >= self.most else None


class FixedWindow(Server):
    def __init__(self, a_minute: int, phase_s: float = 0.0) -> None:
        super().__init__()
        self.a_minute, self.phase_s, self.window, self.used = a_minute, phase_s, -1, 0

    def why_not(self, now_s: float) -> str | None:
        window = int((now_s + self.phase_s) // 60)
        if window != self.window:
            self.window, self.used = window, 0
        if self.used >= self.a_minute:
            return f"limit of {self.a_minute} requests per minute"
        self.used += 1
        return None


class SlidingWindow(Server):
    def __init__(self, a_minute: int) -> None:
        super().__init__()
        self.a_minute = a_minute
        self.log: deque[float] = deque()

    def why_not(self, now_s: float) -> str | None:
        while self.log and self.log[0] <= now_s - 60:
            self.log.popleft()
        if len(self.log) >= self.a_minute:
            return f"limit of {self.a_minute} requests per minute"
        self.log.append(now_s)
        return None


class TokenBucket(Server):
    def __init__(self, per_s: float, burst: int) -> None:
        super().__init__()
        self.per_s, self.burst, self.level, self.seen_s = per_s, burst, float(burst), 0.0

    def why_not(self, now_s: float) -> str | None:
        self.level = min(self.burst, self.level + (now_s - self.seen_s) * self.per_s)
        self.seen_s = now_s
        if self.level < 1:
            return "requests per second exceeded"
        self.level -= 1
        return None


class ByLot(Server):
    def __init__(self, rng: random.Random, share: float) -> None:
        super().__init__()
        self.rng, self.share = rng, share

    def why_not(self, now_s: float) -> str | None:
        return "no luck" if self.rng.random() < self.share else None


class Both(Server):
    """So many at once and so many a minute."""

    def __init__(self, most: int, rate: Server) -> None:
        super().__init__()
        self.at_once, self.rate = AtOnce(most), rate

    def why_not(self, now_s: float) -> str | None:
        self.at_once.held = self.held
        return self.at_once.why_not(now_s) or self.rate.why_not(now_s)


# ── a client in virtual time ───────────────────────────────────────────────────────────────────────────


class Client:
    """`slots` calls at once, dispatched 20 ms apart; a refused one backs off and comes again."""

    def __init__(self, server: Server, rng: random.Random, *, slots: int = SLOTS, mean_s: float = 3.0) -> None:
        self.server, self.rng, self.mean_s = server, rng, mean_s
        self.refusals = Refusals()
        self.cool_down = True
        self.gap_s = 0.02
        self.refusing_takes_s = 0.0
        self.words: Callable[[str], str] = lambda why: "Too Many Requests"
        self.now_s = self.dispatch_at_s = self.closed_until_s = 0.0
        self.in_flight, self.log, self.calls = 0, deque[float](), count(1)
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers = count()
        for _ in range(slots):
            self.after(rng.uniform(0, 0.5), self.begin)

    def after(self, wait_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now_s + wait_s, next(self.numbers), do))

    def run(self, seconds: float) -> Refusals:
        while self.events[0][0] < seconds:
            self.now_s, _, do = heapq.heappop(self.events)
            do()
        return self.refusals

    def begin(self) -> None:
        self.attempt(next(self.calls), 0)

    def attempt(self, call: int, retries: int) -> None:
        wait_s = max(self.dispatch_at_s, self.closed_until_s) - self.now_s
        if wait_s > 0:
            self.after(wait_s, lambda: self.attempt(call, retries))
            return
        self.dispatch_at_s = self.now_s + self.gap_s
        while self.log and self.log[0] <= self.now_s - 60:
            self.log.popleft()
        self.log.append(self.now_s)
        self.in_flight += 1
        self.refusals.sent(call, self.at(), self.in_flight, len(self.log))
        self.after(self.rng.uniform(0.002, 0.015), lambda: self.arrive(call, retries))

    def arrive(self, call: int, retries: int) -> None:
        why = self.server.admit(self.now_s)
        back_s = self.rng.uniform(0.002, 0.015)
        if why is not None:
            self.after(back_s + self.refusing_takes_s, lambda: self.refused(call, retries, why))
            return
        lasts_s = self.rng.expovariate(1 / self.mean_s)
        self.after(lasts_s, self.release)
        self.after(back_s + lasts_s * 0.05, lambda: self.refusals.answered(call, self.at(), 200))
        self.after(back_s + lasts_s, lambda: self.done(call))

    def release(self) -> None:
        self.server.held -= 1

    def done(self, call: int) -> None:
        self.in_flight -= 1
        self.refusals.ended(call, self.at(), None, 200, None)
        self.begin()

    def refused(self, call: int, retries: int, why: str) -> None:
        self.in_flight -= 1
        self.refusals.answered(call, self.at(), 429)
        self.refusals.ended(call, self.at(), f"HTTP 429: {self.words(why)}", 429, None)
        wait_s = self.rng.random() * min(20, 0.5 * 2**retries)
        if self.cool_down:
            self.closed_until_s = max(self.closed_until_s, self.now_s + wait_s)
        self.after(wait_s, lambda: self.attempt(call, retries + 1))

    def at(self) -> int:
        return round(self.now_s * NS_PER_S)


def verdict_on(server: Server, seed: int, seconds: float = 100) -> Verdict:
    return Client(server, random.Random(seed)).run(seconds).verdict(None, SLOTS)


# ── figures alone ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", SEEDS)
def test_a_silent_limit_on_concurrency_is_found(seed: int) -> None:
    verdict = verdict_on(AtOnce(16), seed, 60)
    assert verdict.kind == "too many at once"
    assert "or more in flight" in verdict.evidence[0]
    assert verdict.evidence[-1] == "we allow 24 at once"


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_found_without_cool_downs_too(seed: int) -> None:
    client = Client(AtOnce(16), random.Random(seed))
    client.cool_down = False
    assert client.run(45).verdict(None, SLOTS).kind == "too many at once"


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_found_where_bursts_arrive_in_another_order(seed: int) -> None:
    client = Client(AtOnce(16), random.Random(seed), mean_s=0.5)
    client.gap_s = 0.0
    assert client.run(60).verdict(None, SLOTS).kind == "too many at once"


@pytest.mark.parametrize("seed", SEEDS)
def test_it_is_found_where_refusals_linger_on_the_wire(seed: int) -> None:
    client = Client(AtOnce(12), random.Random(seed))
    client.cool_down, client.refusing_takes_s = False, 1.0
    assert client.run(45).verdict(None, SLOTS).kind == "too many at once"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_silent_fixed_window_is_found(seed: int) -> None:
    server = FixedWindow(120, random.Random(seed).uniform(0, 60))
    assert verdict_on(server, seed, 170).kind == "too fast"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_silent_sliding_window_is_found(seed: int) -> None:
    verdict = verdict_on(SlidingWindow(120), seed, 90)
    assert verdict.kind == "too fast"
    assert "in 60 s" in verdict.evidence[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_silent_token_bucket_is_found_with_its_pace(seed: int) -> None:
    verdict = verdict_on(TokenBucket(2, 20), seed, 60)
    assert verdict.kind == "too fast"
    assert verdict.evidence[0].startswith("it lets about 1")
    assert "a minute through" in verdict.evidence[0]


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_limits_the_one_that_binds_is_found(seed: int) -> None:
    assert verdict_on(Both(16, TokenBucket(100, 100)), seed, 45).kind == "too many at once"
    assert verdict_on(Both(40, TokenBucket(2, 20)), seed, 60).kind == "too fast"


@pytest.mark.parametrize("seed", SEEDS)
def test_refusals_by_lot_are_unclear(seed: int) -> None:
    verdict = verdict_on(ByLot(random.Random(seed), 0.1), seed, 60)
    assert verdict.kind == "unclear"
    assert "neither" in verdict.evidence[0]


def test_a_first_burst_alone_may_be_either() -> None:
    refusals = Refusals()
    for call in range(1, 31):
        refusals.sent(call, call * NS_PER_S // 10, call, call)
    for call in range(1, 31):
        at = (call + 40) * NS_PER_S // 10
        refusals.answered(call, at, 200 if call <= 15 else 429)
        if call > 15:
            refusals.ended(call, at, "HTTP 429: Too Many Requests", 429, None)
    verdict = refusals.verdict(None, 30)
    assert verdict.kind == "unclear"
    assert "rose together" in verdict.evidence[0]


def test_no_refusals_are_no_cause() -> None:
    assert Refusals().verdict(None, 8) == Verdict()
    assert verdict_on(Server(), 1, 30) == Verdict()


def test_too_few_are_unclear_and_the_evidence_says_what_is_missing() -> None:
    refusals = fates([True] * 3 + [False] * 80)
    verdict = refusals.verdict(None, 8)
    assert verdict.kind == "unclear"
    assert verdict.evidence == ["3 refused and 80 let through lately: from 5 of each on, figures can tell"]
    assert fates([True] * 12).verdict(None, 8).kind == "unclear"


def test_the_sentence_about_concurrency_counts_exactly() -> None:
    refusals = Refusals()
    calls = count(1)
    in_flight = [1 + index % 16 for index in range(61)] + [17] * 20
    for index, flying in enumerate(random.Random(7).sample(in_flight, len(in_flight))):
        call, at = next(calls), index * NS_PER_S
        refusals.sent(call, at, flying, min(60, index + 1))
        status = 429 if flying > 16 else 200
        refusals.answered(call, at, status)
        refusals.ended(call, at, "HTTP 429: Too Many Requests" if status == 429 else None, status, None)
    assert refusals.verdict(None, 32).evidence == [
        "20 of 20 refusals came with 17 or more in flight (those it refused left out); "
        "none of 61 attempts with 16 or fewer was refused",
        "we allow 32 at once",
    ]


# ── the server's own words ─────────────────────────────────────────────────────────────────────────────


def fates(refused: list[bool], message: str = "Too Many Requests", every_s: float = 1.0) -> Refusals:
    """One attempt after the other, each alone in flight."""
    refusals = Refusals()
    told(refusals, refused, message, every_s)
    return refusals


def told(refusals: Refusals, refused: list[bool], message: str, every_s: float = 1.0, from_s: float = 0.0) -> None:
    for index, fate in enumerate(refused):
        at = round((from_s + index * every_s) * NS_PER_S)
        call = at + 1
        refusals.sent(call, at, 1, min(index + 1, round(60 / every_s)))
        refusals.answered(call, at, 429 if fate else 200)
        refusals.ended(call, at, f"HTTP 429: {message}" if fate else None, 429 if fate else 200, None)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Rate limit reached for m on requests per min (RPM): Limit 60, Used 60, Requested 1.", "too fast"),
        ("Rate limit reached for m on tokens per min (TPM): Limit 6000, Used 5990.", "too fast"),
        ("Rate limit exceeded: 10 requests/second", "too fast"),
        ("Rate limit exceeded", "too fast"),
        (
            "You exceeded your current quota, please check your plan and billing details. Quota exceeded for metric: "
            "generate_content_requests_per_minute, limit: 15",
            "too fast",
        ),
        ("Rate limit exceeded: too many concurrent requests", "too many at once"),
        ("Max parallel request limit reached", "too many at once"),
        ("Too many connections", "too many at once"),
        ("4 requests in flight, 4 allowed", "too many at once"),
        ("You exceeded your current quota, please check your plan and billing details.", "quota"),
        ("insufficient_quota", "quota"),
        ("Your credit balance is too low", "quota"),
        ("Rate limit reached for m on requests per day (RPD): Limit 200, Used 200", "quota"),
        ("Crossed TPM / RPM / Max Parallel Request Limit", "unclear"),
        ("Too Many Requests", "unclear"),
        ("The load balancer is busy, try again in a minute, see https://example.com/security", "unclear"),
    ],
)
def test_one_refusal_with_words_is_enough(message: str, kind: str) -> None:
    verdict = fates([True], message).verdict(None, 8)
    assert verdict.kind == kind
    assert verdict.evidence[0].startswith(f"the server says: “{message[:100]}") == (kind != "unclear")


def test_long_words_are_cropped() -> None:
    verdict = fates([True], "requests per minute " + "x" * 900).verdict(None, 8)
    assert len(verdict.evidence[0]) < 190
    assert verdict.evidence[0].endswith("x…”")


def test_words_that_name_a_cause_outweigh_more_of_the_mere_words_rate_limit() -> None:
    refusals = fates([True] * 9, "Rate limit exceeded")
    told(refusals, [True] * 2, "too many concurrent requests", from_s=20)
    verdict = refusals.verdict(None, 8)
    assert verdict.kind == "too many at once"
    assert verdict.evidence[:2] == [
        "the server says at 2 of 11 refusals: “too many concurrent requests”",
        "the server says at 9 of 11 refusals: “Rate limit exceeded”",
    ]


def test_the_mere_words_rate_limit_do_not_hide_what_figures_show() -> None:
    client = Client(AtOnce(16), random.Random(3))
    client.words = lambda why: "Rate limit exceeded"
    verdict = client.run(100).verdict(None, SLOTS)
    assert verdict.kind == "too many at once"
    assert "in flight" in verdict.evidence[0]
    assert "the server says: “Rate limit exceeded”" in verdict.evidence


@pytest.mark.parametrize("seed", SEEDS)
def test_where_two_limits_bind_the_server_s_words_for_both_are_quoted(seed: int) -> None:
    client = Client(Both(12, FixedWindow(120)), random.Random(seed))
    client.words = lambda why: why
    verdict = client.run(100).verdict(None, SLOTS)
    assert verdict.kind in ("too fast", "too many at once")
    quoted = " ".join(verdict.evidence)
    assert "concurrent" in quoted
    assert "per minute" in quoted


def test_a_spent_quota_outweighs_what_was_said_before_it() -> None:
    refusals = fates([True] * 9, "30 requests per minute")
    told(refusals, [True], "insufficient_quota", from_s=20)
    assert refusals.verdict(None, 8).kind == "quota"


def test_our_own_limit_stands_beside_the_cause() -> None:
    refusals = fates([True], "requests per minute")
    assert refusals.verdict(None, 8).evidence[-1] == "of the limits on the rate, none of ours holds it back"
    assert refusals.verdict(1200, 8).evidence[-1] == "of the limits on the rate, ours is 1,200 a minute"


# ── what is kept ───────────────────────────────────────────────────────────────────────────────────────


def test_only_recent_evidence_counts() -> None:
    refusals = fates([True] * 20, "requests per minute")
    assert refusals.verdict(None, 8).kind == "too fast"
    told(refusals, [False] * 10, "", from_s=330)
    assert refusals.verdict(None, 8) == Verdict("none", ["none of the last 10 attempts was refused"])
    assert refusals.total == 20


def test_memory_is_bounded() -> None:
    refusals = fates([index % 3 == 0 for index in range(5 * KEPT)], every_s=0.1)
    assert len(refusals._known) == KEPT
    assert len(refusals.newest(10_000)) == KEPT_REFUSALS
    assert not refusals._open
    assert refusals.total == len([index for index in range(5 * KEPT) if index % 3 == 0])


def test_a_refusal_tells_how_things_stood_when_its_request_was_sent() -> None:
    refusals = Refusals()
    for call in (1, 2, 3):
        refusals.sent(call, call * NS_PER_S, call, 10 + call)
    refusals.answered(2, 4 * NS_PER_S, 429)
    refusals.ended(2, 5 * NS_PER_S, "HTTP 429: slow down", 429, 1.5)
    refusals.ended(1, 6 * NS_PER_S, "HTTP 503: overloaded", 503, None)
    refusals.ended(3, 7 * NS_PER_S, "the connection was cut", None, None)
    (refusal,) = refusals.newest()
    assert (refusal.at, refusal.call, refusal.message) == (5 * NS_PER_S, 2, "HTTP 429: slow down")
    assert (refusal.retry_after_s, refusal.in_flight, refusal.attempts_60s) == (1.5, 2, 12)
    assert (refusals.total, refusals.in_flight_peak) == (1, 3)


def test_the_newest_refusals_come_first() -> None:
    refusals = fates([True] * 30)
    assert [refusal.at // NS_PER_S for refusal in refusals.newest(3)] == [29, 28, 27]
    assert len(refusals.newest()) == 20


def test_a_verdict_is_kept_until_something_becomes_known() -> None:
    refusals = fates([True, False] * 20)
    verdict = refusals.verdict(None, 8)
    assert refusals.verdict(None, 8) is verdict
    assert refusals.verdict(60, 8) is not verdict
    verdict = refusals.verdict(None, 8)
    told(refusals, [False], "", from_s=100)
    assert refusals.verdict(None, 8) is not verdict
