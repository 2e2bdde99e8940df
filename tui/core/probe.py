"""The next question of a probe, and what the answers so far say. Decides; sends nothing, waits for nothing.

A probe exhausts a limit once, watches how it comes back, and asks on until one kind of limit explains all that
happened and its figures are narrow. `Prober.steps` is that story as a generator: it yields what to do and is sent what
came of it. Whatever ends it, `Prober.verdict` says what is known.
"""

import math
from collections.abc import Sequence

from tui.core.figures import exact
from tui.core.probe_fits import BUCKET, FIXED
from tui.core.probe_moves import FIRST_LOOK_S, MOST_UNMET, Broken, Enough, Moves, Steps
from tui.core.probe_refill import NARROW, full_again_s, measure_refill
from tui.core.probe_seen import WINDOW_S, Fate
from tui.core.probe_verdict import Verdict, agrees, verdict_of

TOO_WIDE = 0.2
"""Bounds that far apart are no verdict."""
GAP_S = 3.0
"""Between the first request and the burst: a sliding window gives them back apart, a fixed one together. Longer than
the whole seconds that hints are rounded to."""
LONG_ANSWER_TOKENS = 32
"""For servers that would be done with a tiny one before the next request has come: then nothing is at once."""
QUICK_S = 0.15


class Prober:
    """One probe. Run `steps` to its end, or to where time, money or patience ends; then ask for the `verdict`."""

    def __init__(
        self,
        max_requests: int | None,
        max_concurrency: int,
        now_s: float,
        deadline_s: float,
        target: Sequence[str] = (),
    ) -> None:
        """`max_requests` None: as many as a limit that shows is worth. `target`: flags of a load of the same."""
        self.stage = "first request"
        """What it is at, for people."""
        self.stopped: str | None = None
        """Why it ended before its questions were answered."""
        self._broken = False
        """It ended because nothing could be measured any more."""
        self._target = tuple(target)
        self._moves = Moves(max_requests, max_concurrency, now_s, deadline_s)
        self._evidence = self._moves.evidence
        self._full_pace_s: float | None = None
        """Since when as many are sent at once as the server allows, without a pause."""

    @property
    def findings(self) -> list[str]:
        """What it has come to believe so far, one sentence each, for people."""
        return self._evidence.findings

    # ── the story ──────────────────────────────────────────────────────────────────────────────────────

    def steps(self) -> Steps:
        """What to do, one after the other."""
        try:
            yield from self._first()
            yield from self._exhaust()
            yield from self._try_the_hint()
            yield from self._watch_it_come_back()
            if self._evidence.likeliest.kind == BUCKET:
                self.stage = "rate: how fast the bucket refills"
                yield from measure_refill(self._moves)
            yield from self._measure_burst()
            rpm, stated = self._evidence.likeliest.rpm, self._evidence.limit
            if rpm.spread > TOO_WIDE and (stated is None or not agrees(rpm, stated)):
                raise Enough("the rate could only be bounded: the bucket is full again before an answer has ended")
        except Enough as enough:
            self.stopped = str(enough)
        except Broken as broken:
            self.stopped, self._broken = str(broken), True

    def verdict(self, stopped: str | None = None) -> Verdict:
        """What is known by now; `stopped` says why somebody else ended it."""
        return verdict_of(
            self._evidence,
            target=self._target,
            unmet=self._evidence.passed_since(self._moves.now_s - WINDOW_S),
            stopped=stopped or self.stopped,
            broken=self._broken,
        )

    def _first(self) -> Steps:
        moves = self._moves
        (answer,) = yield from moves.send(1)
        if answer.fate is Fate.REFUSED:
            raise Broken(
                f"the first request was refused already: the limit is in use; rest and try again ({answer.message})"
            )
        if answer.ended_s - answer.sent_s < QUICK_S:
            moves.tokens = LONG_ANSWER_TOKENS
        if self._evidence.limit is not None:
            self.findings.append(f"the server states {exact(self._evidence.limit)} requests a minute")
        yield from moves.rest(moves.now_s + GAP_S)

    def _exhaust(self) -> Steps:
        """Send more and more at once until one is refused for going too fast."""
        self.stage = "burst: as fast as it goes, until it refuses"
        evidence, passed_before, spare = self._evidence, self._evidence.passed, 0
        while evidence.empty_s is None:
            count = (evidence.passed - passed_before + 1) // 2
            if evidence.left is not None:
                # What is left by the server's own account, and one more; and more, should it refill as fast as that.
                count = evidence.left + (1 << spare)
                spare += 1
            self._give_up_the_search(count)
            answers = yield from self._moves.send(max(1, count))
            if any(answer.fate is Fate.REFUSED for answer in answers):
                self._full_pace_s = None
            yield from self._moves.after_too_many(answers)

    def _give_up_the_search(self, count: int) -> None:
        """End where there is no limit on the rate, or none within reach."""
        evidence, moves = self._evidence, self._moves
        if evidence.at_once is not None and count >= moves.at_once:
            at_once = f"with {exact(moves.at_once)} at once, the most that is allowed,"
            if self._full_pace_s is None:
                self._full_pace_s = moves.now_s
            if moves.now_s - self._full_pace_s >= WINDOW_S:
                raise Enough(f"a minute {at_once} met no limit on the rate")
        else:
            at_once = f"with up to {exact(evidence.most_at_once)} at once"
        if evidence.requests < MOST_UNMET:
            return
        stated = evidence.left if evidence.left is not None else evidence.limit
        if stated is None and moves.max_requests is None:
            raise Enough(
                f"{exact(evidence.requests)} requests {at_once} met no limit on the rate; "
                f"no more than that are spent on the search unless --max-requests says so"
            )
        if stated is not None and stated >= moves.remaining:
            raise Enough("the limit that the server states is more than what --max-requests allows to use up")

    def _try_the_hint(self) -> Steps:
        """Send one at the instant that the refusal named, if that is still to come."""
        hinted_s = self._evidence.hinted_s
        if hinted_s is not None and hinted_s > self._moves.now_s:
            self.stage = "refusal: whether the wait that it asks for is enough"
            yield from self._moves.rest(hinted_s)
            yield from self._moves.send(1)

    def _watch_it_come_back(self) -> Steps:
        """Look, seldom and with one request, until something passes; then see how much does, until a kind is left."""
        self.stage = "refill: what comes back, and when"
        evidence = self._evidence
        while not evidence.decided:
            yield from self._moves.rest(self._next_look_s())
            answers = yield from self._moves.send(1)
            count = 1
            while answers[-1].fate is Fate.PASSED and not evidence.decided:
                answers = yield from self._moves.send(count)
                count *= 2
        kind = evidence.likeliest.kind.replace("-", " ")
        self.findings.append(f"it is a {kind}: no other kind explains what passed and what did not")

    def _next_look_s(self) -> float:
        """When to ask again: at the instant that was named, else after twice the time, never later than a window."""
        evidence = self._evidence
        if evidence.hinted_s is not None and all(evidence.kept_word):
            return evidence.hinted_s
        refused_s = evidence.refused_s
        waited_s = refused_s - (evidence.empty_s or refused_s)
        look = refused_s + max(FIRST_LOOK_S, waited_s)
        # Where a window would give something back: each of those instants tells the kinds apart.
        returns = [event.at_s + event.spread_s + WINDOW_S + 0.025 for event in evidence.events if event.passed]
        look = min([look, *(at for at in returns if at > refused_s + FIRST_LOOK_S / 2)])
        return max(look, evidence.closed_until_s, refused_s + FIRST_LOOK_S / 2)

    def _measure_burst(self) -> Steps:
        """Empty a rested limit once more, where the first time left its size uncertain."""
        fit, moves = self._evidence.likeliest, self._moves
        if fit.burst.whole().spread <= NARROW or self._evidence.left is not None:
            return
        if fit.kind == BUCKET:
            yield from moves.rest_politely(full_again_s(self._evidence, fit))
        elif fit.kind == FIXED and fit.edge_s is not None:
            windows = math.floor((moves.now_s - fit.edge_s) / WINDOW_S) + 1
            yield from moves.rest_politely(fit.edge_s + windows * WINDOW_S + 1.0)
        self.stage = "burst: a rested limit once more"
        yield from moves.take_all(int(fit.burst.estimate or 1.0) + 1)
