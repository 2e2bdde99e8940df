"""A server in virtual time for probes: the simulator's own limits, behind a network that takes its time."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tui.core.probe import Prober
from tui.core.probe_moves import Pace, Rest, Turn
from tui.core.probe_seen import Answer, Cause, Fate
from tui.core.probe_verdict import Verdict
from tui.simulator.limit_headers import retry_after
from tui.simulator.limits import Limits, Slots
from tui.simulator.settings import SimulatorSettings
from tui.wire.hints import rate_hint, wait_hint, wait_in_body

PROMPT_TOKENS = 9
EPOCH_S = 1_700_000_000.0
_CAUSES = {"requests": Cause.RATE, "tokens": Cause.TOKENS, "concurrency": Cause.AT_ONCE}


@dataclass
class ProbedServer:
    """Answers batches; every request takes its own way to it and back."""

    settings: SimulatorSettings
    seed: int
    one_way_s: tuple[float, float] = (0.002, 0.008)
    answer_s: tuple[float, float] = (0.25, 0.45)
    late_s: float = 0.0
    """By how much a busy machine delays a sending, and now and then a way."""
    headers_after: float = 0.0
    """The part of an answer's time after which its headers come: with many servers, all of it."""
    now_s: float = 1_000.0
    asked: list[tuple[float, Answer]] = field(default_factory=list)
    closed_until_s: float = 0.0
    impolite: int = 0
    """Requests that were sent before the end of a wait that the server had asked for."""

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.now_s += self.rng.uniform(0, 60)
        self.limits = Limits("sim", self.settings, self.now_s, EPOCH_S)
        most = self.settings.concurrency_limit
        self.slots = Slots("sim", most, self.settings.retry_after_style) if most is not None else None

    def answer(self, gaps_s: Sequence[float], tokens: int, until_refused: bool = False) -> tuple[Answer, ...]:
        """Send one, and one more after each of these; time passes until all have ended."""
        start_s = self.now_s
        # In a real client each one is written a moment after the one before.
        sent = list(accumulate((max(gap_s, 0.0003) for gap_s in gaps_s), initial=start_s))
        if self.late_s:
            sent = sorted(at + max(0.0, self.rng.gauss(0.0, self.late_s)) for at in sent)
        arriving = sorted((at + self._way_s(), at) for at in sent)
        ends: list[tuple[float, object]] = []
        answers: list[Answer] = []
        for arrival_s, at_s in arriving:
            heard_s = min((one.answered_s for one in answers if one.fate is Fate.REFUSED), default=math.inf)
            if until_refused and at_s > heard_s:
                break
            self.impolite += at_s < self.closed_until_s - 1e-9
            answers.append(self._one(arrival_s, at_s, tokens, ends))
        for _, slot in ends:
            slot.release()  # type: ignore[attr-defined]
        self.now_s = max(answer.ended_s for answer in answers)
        for answer in answers:
            self.asked.append((answer.sent_s, answer))
            if answer.hint_s is not None:
                self.closed_until_s = max(self.closed_until_s, answer.answered_s + answer.hint_s)
        return tuple(answers)

    def _way_s(self) -> float:
        """One way; now and then on a busy machine a long one."""
        slow_s = self.rng.expovariate(1 / self.late_s) if self.late_s and self.rng.random() < 0.3 else 0.0
        return self.rng.uniform(*self.one_way_s) + slow_s

    def _one(self, arrival_s: float, sent_s: float, tokens: int, ends: list[tuple[float, object]]) -> Answer:
        for end in [end for end in ends if end[0] <= arrival_s]:
            ends.remove(end)
            end[1].release()  # type: ignore[attr-defined]
        refusal = self.slots.refusal(arrival_s) if self.slots is not None else None
        if refusal is None:
            refusal = self.limits.admit(PROMPT_TOKENS + tokens, arrival_s)
        back_s = self._way_s()
        headers = dict(self.limits.headers(arrival_s))
        if refusal is not None:
            style = self.settings
            headers |= dict(retry_after(refusal.wait_s, style.retry_after_style, style.header_style))
        rate = rate_hint(headers, EPOCH_S + arrival_s)
        stated = (rate.limit_requests, rate.remaining_requests, rate.limit_tokens) if rate else (None, None, None)
        if refusal is not None:
            at = arrival_s + back_s
            hint = wait_hint(headers, EPOCH_S + arrival_s) or wait_in_body(429, b"", refusal.message)
            cause = _CAUSES[refusal.kind]
            return Answer(sent_s, at, at, Fate.REFUSED, cause, 429, hint, *stated, message=refusal.message)
        lasts_s = self.rng.uniform(*self.answer_s)
        if self.slots is not None:
            ends.append((arrival_s + lasts_s, self.slots.take(arrival_s + lasts_s)))
        at = arrival_s + back_s + self.headers_after * lasts_s
        return Answer(
            sent_s,
            at,
            arrival_s + back_s + lasts_s,
            Fate.PASSED,
            None,
            200,
            None,
            *stated,
            tokens=PROMPT_TOKENS + tokens,
        )


def probed(
    settings: SimulatorSettings,
    seed: int,
    max_requests: int | None = None,
    time_s: float = 400.0,
    max_concurrency: int = 64,
    **server_fields: object,
) -> tuple[Verdict, ProbedServer, Prober]:
    """A probe from its beginning to its end."""
    server = ProbedServer(settings, seed, **server_fields)  # type: ignore[arg-type]
    prober = Prober(max_requests, max_concurrency, server.now_s, server.now_s + time_s)
    steps = prober.steps()
    turn: Turn | None = None
    while True:
        try:
            step = next(steps) if turn is None else steps.send(turn)
        except StopIteration:
            return prober.verdict(), server, prober
        if isinstance(step, Rest):
            server.now_s = max(server.now_s, step.until_s) + server.rng.uniform(0.0, 0.002)
            turn = Turn(server.now_s)
        elif isinstance(step, Pace):
            answers = server.answer(step.gaps_s, step.tokens, until_refused=True)
            turn = Turn(server.now_s, answers)
        else:
            answers = server.answer([0.0] * (step.count - 1), step.tokens)
            turn = Turn(server.now_s, answers)
