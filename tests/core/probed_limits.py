"""A server in virtual time for probes: the simulator's own limits, behind a network that takes its time."""

import random
from dataclasses import dataclass, field

from tui.core.probe import Prober, Rest, Send, Turn
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

    def answer(self, count: int, tokens: int) -> tuple[Answer, ...]:
        """Send so many at once; time passes until all have ended."""
        sent_s = self.now_s
        self.impolite += count * (sent_s < self.closed_until_s - 1e-9)
        # In a real client each one is written a moment after the one before.
        sent = sorted(sent_s + 0.0003 * number for number in range(count))
        arriving = sorted((at + self.rng.uniform(*self.one_way_s), at) for at in sent)
        ends: list[tuple[float, object]] = []
        answers = [self._one(arrival, at, tokens, ends) for arrival, at in arriving]
        for _, slot in ends:
            slot.release()  # type: ignore[attr-defined]
        self.now_s = max(answer.ended_s for answer in answers)
        for answer in answers:
            self.asked.append((answer.sent_s, answer))
            if answer.hint_s is not None:
                self.closed_until_s = max(self.closed_until_s, answer.answered_s + answer.hint_s)
        return tuple(answers)

    def _one(self, arrival_s: float, sent_s: float, tokens: int, ends: list[tuple[float, object]]) -> Answer:
        for end in [end for end in ends if end[0] <= arrival_s]:
            ends.remove(end)
            end[1].release()  # type: ignore[attr-defined]
        refusal = self.slots.refusal(arrival_s) if self.slots is not None else None
        if refusal is None:
            refusal = self.limits.admit(PROMPT_TOKENS + tokens, arrival_s)
        back_s = self.rng.uniform(*self.one_way_s)
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
        at = arrival_s + back_s
        return Answer(sent_s, at, at + lasts_s, Fate.PASSED, None, 200, None, *stated, tokens=PROMPT_TOKENS + tokens)


def probed(
    settings: SimulatorSettings,
    seed: int,
    max_requests: int = 2_000,
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
        else:
            assert isinstance(step, Send)
            turn = Turn(server.now_s, ())
            answers = server.answer(step.count, step.tokens)
            turn = Turn(server.now_s, answers)
