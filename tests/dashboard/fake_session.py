"""A made-up run with every state in it: the same seed and time give the same picture, and no clock is read."""

import random
from dataclasses import dataclass, field

from fake_views import bar_of, limits, row_of, timeline

from tui.core.calls import State
from tui.core.clock import NS_PER_S
from tui.core.commands import AnyCommand, Watch
from tui.core.snapshot import AttemptView, Cost, Counts, FullCall, Pane, RunView, Snapshot, Spread

START = 1_000 * NS_PER_S
"""The run's first instant."""

PROMPTS = (
    "Explain how a tidal lake fills, to a patient ten-year-old",
    "Write a haiku about back-pressure",
    "Summarise the attached incident report in five bullet points",
    "Übersetze: the weir holds the water back, not the river",
    "日本語で、堰とは何かを三文で説明してください。",
    "Refactor this function so that it never blocks the loop",
    "List three tests that a stream decoder must pass, and why",
    "What does p99 hide that the maximum shows?",
)

TEXTS = (
    "A weir is a low wall built across a river. It does not stop the water: it raises the level behind it, so "
    "that what flows over the top is even and can be measured.\n\nBecause the crest is level, the depth of the "
    "water above it tells how much passes each second. People have used that for three hundred years.\n\n"
    "1. Build the crest level.\n2. Let the air in beneath the falling sheet.\n3. Read the depth well upstream, "
    "where the surface is still flat.\n\n",
    "Streams arrive in pieces. A piece is not a token, and a token is not a word, so a careful reader keeps the "
    "undecided end open until the next bytes settle it.\n\n```python\nasync for chunk in response.aiter_raw():\n"
    "    at = clock.now()\n    for event in sse.feed(chunk):\n        emit(event, at)\n```\n\nNothing in the loop "
    "waits for the screen.\n\n",
    "Das Wehr hält das Wasser zurück, nicht den Fluss. Über die Krone fließt genau so viel, wie von oben "
    "nachkommt; dahinter steht der Spiegel still – Größe, Höhe, Überfall: alles messbar.\n\n",
    "堰は川を横切る低い壁です。水を止めるのではなく、水位を上げて流れをならします。越流する水の深さから、"
    "毎秒どれだけの水が流れるかがわかります。🌊 Ein Emoji, naïve café, और हिन्दी भी।\n\n",
    "The median says what most callers felt; the ninety-ninth percentile says what the unlucky one in a hundred "
    "felt. A dashboard that shows the mean alone shows neither. Keep the histogram, merge histograms, and never "
    "average two percentiles.\n\n",
)

ERRORS = (
    "HTTP 500: upstream worker died (internal_error)",
    "connect: connection refused by 127.0.0.1:8600",
    "HTTP 400: context_length_exceeded: 131,094 tokens, where 128,000 is the most",
)


@dataclass(frozen=True)
class Life:
    """What will happen to one call, in seconds from the run's start."""

    id: int
    begins: float
    waits: float
    ttft: float
    speed: float
    tokens: int
    outcome: State
    backs_off: float
    prompt: str
    text: str
    model: str

    @property
    def sent(self) -> float:
        return self.begins + self.waits

    @property
    def delivered(self) -> float:
        return self.sent + (0.4 + self.backs_off if self.backs_off else 0.0)

    @property
    def first_token(self) -> float:
        return self.delivered + self.ttft

    @property
    def ends(self) -> float:
        if self.outcome in (State.FAILED, State.REFUSED):
            return self.delivered + 0.3
        return self.first_token + self.tokens / self.speed


def lives(count: int, concurrency: int, seed: int) -> list[Life]:
    """The fates of `count` calls in `concurrency` slots."""
    rng = random.Random(seed)
    free = [index * 0.07 for index in range(concurrency)]
    made = []
    for call in range(1, count + 1):
        slot = min(range(concurrency), key=free.__getitem__)
        outcome = rng.choices(
            [State.DONE, State.BROKEN, State.FAILED, State.CANCELLED, State.REFUSED], [84, 5, 6, 3, 2]
        )[0]
        text = "".join(rng.choice(TEXTS) for _ in range(12))
        life = Life(
            id=call,
            begins=free[slot] + 0.05,
            waits=rng.choice([0.0, 0.0, 0.2, 1.5]),
            ttft=rng.lognormvariate(-0.6, 0.5),
            speed=rng.uniform(18, 70),
            tokens=rng.randint(60, 480) // (3 if outcome is State.BROKEN else 1),
            outcome=outcome,
            backs_off=rng.choice([0.0, 0.0, 0.0, 0.0, 2.6]) if outcome is not State.REFUSED else 0.0,
            prompt=rng.choice(PROMPTS),
            text=text,
            model=rng.choice(["gpt-4o-mini", "gpt-4o-mini", "llama-3.1-8b-instruct"]),
        )
        made.append(life)
        free[slot] = life.ends + 0.4
    return made


@dataclass
class FakeSession:
    """A Session whose picture is made for an instant by `go`, and which keeps what it was asked."""

    count: int = 400
    concurrency: int = 16
    seed: int = 7
    phase: str = "running"
    rpm_limit: int | None = 240
    planned: bool = True
    notice: str | None = None
    lane_closed_s: float = 0.0
    sent: list[AnyCommand] = field(default_factory=list)
    latest: Snapshot | None = None

    def __post_init__(self) -> None:
        self.lives = lives(self.count, self.concurrency, self.seed)
        self.watch = Watch()
        self.t_s = 0.0

    def send(self, command: AnyCommand) -> None:
        self.sent.append(command)
        if isinstance(command, Watch):
            self.watch = command
            if self.latest is not None:
                self.go(self.t_s)

    def asked(self, kind: type) -> list[AnyCommand]:
        """The commands of one kind, in order."""
        return [command for command in self.sent if isinstance(command, kind)]

    def go(self, t_s: float) -> Snapshot:
        """Make the picture `t_s` seconds into the run the latest one."""
        self.t_s = t_s
        begun = [life for life in self.lives if life.begins <= t_s]
        if self.phase == "finished":
            begun = self.lives
        views = {life.id: self._pane(life, t_s) for life in begun}
        counts: dict[str, int] = {}
        for pane in views.values():
            name = pane.state.value.replace(" ", "_")
            counts[name] = counts.get(name, 0) + 1
        order = list(views.values())
        watch, view = self.watch, self.watch.view
        if view == "wall" and not watch.everything:
            order = order[-self.concurrency :]
        wrong = None
        if watch.query.startswith("?"):
            wrong = f"{watch.query!r} is no filter"
        elif watch.query and view in ("wall", "table", "waterfall"):
            order = [pane for pane in order if pane.state.value == watch.query or watch.query in pane.prompt]
        if watch.descending:
            order.reverse()
        if view in ("charts", "limits"):
            order = []
        first = min(watch.first, max(0, len(order) - 1))
        if watch.follow:
            first = max(0, len(order) - watch.count)
        window = order[first : first + self.watch.count]
        tokens = sum(pane.tokens for pane in views.values())
        focus = views.get(self.watch.focus) if self.watch.focus is not None else None
        sent = [life.sent for life in begun if life.sent <= t_s]
        ttfts = sorted(pane.ttft_ns for pane in views.values() if pane.ttft_ns is not None)
        streaming = [pane for pane in views.values() if pane.state is State.STREAMING]
        self.latest = Snapshot(
            at=START + int(t_s * NS_PER_S),
            watch=self.watch,
            run=RunView(
                job="load",
                model="gpt-4o-mini",
                endpoint="127.0.0.1:8600/v1",
                started_at=START,
                phase=self.phase,
                ended_at=START + int(t_s * NS_PER_S) if self.phase == "finished" else None,
                planned=self.count if self.planned else None,
                deadline_at=None if self.planned else START + 90 * NS_PER_S,
                concurrency=self.concurrency,
                rpm_limit=self.rpm_limit,
                record="weir-runs/2026-11-22-load-gpt-4o-mini",
                notice=self.notice,
                notices=1 if self.notice else 0,
            ),
            counts=Counts(**counts),
            unanswered=counts.get("failed", 0) + counts.get("broken", 0),
            attempts=len(sent),
            retries=sum(1 for pane in views.values() if pane.retries),
            http_429=sum(1 for life in begun if life.backs_off) // 2,
            attempts_60s=sum(1 for at in sent if at > t_s - 60),
            attempts_by_second=self._by_second(sent, t_s),
            tokens=tokens,
            tokens_estimated=True,
            tokens_per_s=sum(pane.tokens_per_s or 0.0 for pane in streaming),
            tokens_by_second=[self._speed(t_s - 59 + second) for second in range(60)],
            ttft=self._spread(ttfts),
            ttft_by_second=[self._ttft_at(begun, t_s - 60 + second, t_s) for second in range(60)],
            lag=Spread(900, 60_000, 180_000, 340_000, 2_100_000),
            cost=Cost(f"{tokens * 0.0000006 + len(sent) * 0.0000045:.7f}", "estimated"),
            lane_closed_until=START + int((t_s + self.lane_closed_s) * NS_PER_S) if self.lane_closed_s else None,
            lane_closed_why="429: Rate limit reached for gpt-4o-mini" if self.lane_closed_s else None,
            listed=len(order),
            first=first,
            calls=len(begun),
            query_error=wrong,
            panes=[self._tail(pane) for pane in window] if view == "wall" else [],
            rows=[row_of(self.lives[pane.call - 1], pane, t_s) for pane in window] if view == "table" else [],
            bars=[bar_of(self.lives[pane.call - 1], pane, t_s) for pane in window] if view == "waterfall" else [],
            timeline=timeline(self.lives, t_s, self.rpm_limit) if view == "charts" else None,
            limits=limits(self.lives, t_s, self.rpm_limit, self.concurrency) if view == "limits" else None,
            focus=self._full(self.lives[focus.call - 1], focus) if focus is not None else None,
        )
        return self.latest

    def _tail(self, pane: Pane) -> Pane:
        text = pane.text[-self.watch.tail_chars :] if self.watch.tail_chars else ""
        return _changed(pane, text=text)

    def _speed(self, t_s: float) -> int:
        return int(
            sum(
                life.speed
                for life in self.lives
                if life.first_token <= t_s < life.ends and life.outcome is not State.FAILED
            )
        )

    def _by_second(self, instants: list[float], t_s: float) -> list[int]:
        seconds = [0] * 60
        for at in instants:
            age = int(t_s - at)
            if 0 <= age < 60:
                seconds[59 - age] += 1
        return seconds

    def _ttft_at(self, begun: list[Life], second: float, t_s: float) -> int | None:
        found = [life.ttft for life in begun if second <= life.first_token < second + 1 and life.first_token <= t_s]
        return int(sorted(found)[len(found) // 2] * NS_PER_S) if found else None

    def _spread(self, values: list[int]) -> Spread | None:
        if not values:
            return None

        def at(share: float) -> int:
            return values[min(len(values) - 1, int(share * len(values)))]

        return Spread(len(values), at(0.5), at(0.95), at(0.99), values[-1])

    def _state(self, life: Life, t_s: float) -> State:
        if t_s >= life.ends:
            return life.outcome
        if self.phase == "finished":
            return State.CANCELLED
        if t_s < life.begins + life.waits / 4:
            return State.QUEUED
        if t_s < life.sent:
            return State.WAITING
        if life.backs_off and life.sent + 0.4 <= t_s < life.delivered:
            return State.BACKING_OFF
        return State.STREAMING if t_s >= life.first_token else State.CONNECTING

    def _pane(self, life: Life, t_s: float) -> Pane:
        state = self._state(life, t_s)
        began_text = t_s >= life.first_token and life.outcome not in (State.FAILED, State.REFUSED)
        tokens = min(life.tokens, int((t_s - life.first_token) * life.speed) + 1) if began_text else 0
        text = life.text[: tokens * 4]
        retried = bool(life.backs_off) and t_s >= life.delivered
        errors = {
            State.FAILED: ERRORS[life.id % len(ERRORS)],
            State.BROKEN: "the connection was reset after the first token",
            State.REFUSED: "refused: it would pass the budget of $0.50",
            State.BACKING_OFF: "HTTP 429: Rate limit reached for gpt-4o-mini, please try again in 2.6s",
        }
        return Pane(
            call=life.id,
            state=state,
            model=life.model,
            prompt=life.prompt,
            text=text,
            text_end=len(text),
            attempt=0 if t_s < life.sent else 2 if retried else 1,
            retries=1 if retried else 0,
            ttft_ns=int(life.ttft * NS_PER_S) if began_text else None,
            waited_ns=int((min(t_s, life.first_token if began_text else life.ends) - life.begins) * NS_PER_S),
            tokens=tokens,
            tokens_estimated=state is not State.DONE,
            tokens_per_s=life.speed if began_text else None,
            quiet_ns=3_400_000_000 if state is State.STREAMING and life.id % 11 == 0 else 20_000_000,
            backoff_until=START + int(life.delivered * NS_PER_S) if state is State.BACKING_OFF else None,
            cost=Cost(
                f"{tokens * 0.0000006 + 0.0000045:.7f}",
                "billed by usage" if state is State.DONE else "estimated",
            )
            if began_text
            else Cost(None, "unpriced"),
            error=errors.get(state),
            finish_reason="stop" if state is State.DONE else None,
            warmup=life.id == 1,
        )

    def _full(self, life: Life, pane: Pane) -> FullCall:
        ms = NS_PER_S // 1000
        attempts = []
        if life.backs_off and pane.attempt:
            attempts.append(
                AttemptView(1, 240 * ms, 2 * ms, 390 * ms, None, None, 400 * ms, 429, "Rate limit reached", "req_7f3a")
            )
        if pane.ttft_ns is not None:
            attempts.append(
                AttemptView(
                    len(attempts) + 1,
                    3_240 * ms,
                    1 * ms,
                    180 * ms,
                    pane.ttft_ns,
                    pane.ttft_ns + int(pane.tokens / life.speed * NS_PER_S),
                    None,
                    200,
                    None,
                    "req_9c41",
                )
            )
        return FullCall(
            pane=pane,
            prompt=life.prompt + ". Keep to plain words, give one example from daily life, and end with a question.",
            attempts=attempts,
            queue_ns=int(life.waits * NS_PER_S),
            chunks=pane.tokens,
            largest_gap_ns=310 * ms,
            prompt_tokens=42,
            reasoning_tokens=None,
            cached_tokens=0,
        )


def _changed(pane: Pane, **fields: object) -> Pane:
    return Pane(**{name: fields.get(name, getattr(pane, name)) for name in Pane.__struct_fields__})  # type: ignore[arg-type]
