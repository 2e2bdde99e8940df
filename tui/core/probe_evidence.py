"""All that a probe has heard, and what it says of the limit. Keeps and judges; sends nothing and asks no clock."""

import math
from collections.abc import Sequence
from dataclasses import replace

from tui.core.figures import exact
from tui.core.probe_fits import Fit, fits
from tui.core.probe_seen import Answer, Cause, Event, Fate, Range, batch_events

SHORTEST_HINT_S = 0.1
"""Waits that are worth a test."""
SLACK_S = 0.002
"""By how much a stamp may be off, where nothing is known to have been late."""
_NEVER_S = -math.inf


class Evidence:
    """Answers in the order in which they were asked for, and what follows from them."""

    def __init__(self) -> None:
        self.findings: list[str] = []
        """What it has come to believe so far, one sentence each, for people."""
        self.requests = 0
        self.passed = 0
        self.failed = 0
        self.by_tokens = False
        """The last refusal was about tokens."""
        self.limit: int | None = None
        self.left: int | None = None
        self.token_limit: int | None = None
        self.cost_tokens: int | None = None
        self.most_at_once = 0
        self.at_once: Range | None = None
        """How many are allowed at once, if that has been met."""
        self.closed_until_s = _NEVER_S
        """The end of every wait that was asked for."""
        self.hinted_s: float | None = None
        """The instant that the last refusal named, if nothing was sent since."""
        self.kept_word: list[bool] = []
        """Of each hint that was put to the test: whether what was sent then passed."""
        self.refusal: Answer | None = None
        """The first one."""
        self.empty_s: float | None = None
        """When a request was refused for going too fast for the first time, …"""
        self.refused_s = _NEVER_S
        """… and for the last time."""
        self.last_s = _NEVER_S
        """When something was sent last."""
        self.answer_s = 0.0
        """How long an answer took, at most."""
        self._batches: list[tuple[Answer, ...]] = []
        self._foretold: list[Event] = []
        self._fitted: tuple[int, list[Fit]] | None = None

    # ── what is heard ──────────────────────────────────────────────────────────────────────────────────

    def add(self, answers: tuple[Answer, ...], at_s: float) -> None:
        """What came of requests that were sent from `at_s` on."""
        self.requests += len(answers)
        self.failed += sum(answer.fate is Fate.FAILED for answer in answers)
        self._note_what_is_stated(answers)
        self._note_at_once(answers)
        self._check_the_hint(answers, at_s)
        self._batches.append(answers)
        passed = [answer for answer in answers if answer.fate is Fate.PASSED]
        self.passed += len(passed)
        self.answer_s = max([self.answer_s, *(answer.ended_s - answer.sent_s for answer in passed)])
        self.last_s = max([self.last_s, *(answer.sent_s for answer in answers)])
        self.closed_until_s = max([self.closed_until_s, *map(_open_again_s, answers)])
        self._note_refusals(paced(answers), any(passed))

    def _note_refusals(self, refused: list[Answer], any_passed: bool) -> None:
        if not refused:
            self.hinted_s = None if any_passed else self.hinted_s
            return
        last = max(refused, key=lambda answer: answer.answered_s)
        self.refused_s = max(answer.sent_s for answer in refused)
        self.by_tokens = last.cause is Cause.TOKENS
        longest = max(refused, key=_open_again_s)
        self.hinted_s = None
        if longest.hint_s is not None:
            self.hinted_s = _open_again_s(longest)
            self._foretell(longest, longest.hint_s)
        if self.empty_s is None:
            self.empty_s = min(answer.sent_s for answer in refused)
            self.refusal = last
            self.findings.append(f"refused after {exact(self.passed)} had passed")

    def _foretell(self, refusal: Answer, hint_s: float) -> None:
        """A hint says that until then nothing passes: up to a second less, where it is in whole seconds."""
        rounding_s = 1.0 if hint_s == int(hint_s) else 0.002
        at_s = refusal.sent_s + hint_s - rounding_s - SLACK_S
        if at_s > refusal.answered_s:
            self._foretold.append(Event(at_s, 0, foretold=True))

    def _check_the_hint(self, answers: tuple[Answer, ...], at_s: float) -> None:
        """Whether what was sent at the hinted instant passes; what is sent much later says nothing."""
        if self.hinted_s is None or self.hinted_s > at_s + 0.001 or not answers:
            return
        first = min(answers, key=lambda answer: (answer.fate is Fate.REFUSED, answer.sent_s))
        asked_s, late_s = self.hinted_s - self.refused_s, at_s - self.hinted_s
        # A moment's wait is over before anybody can tell whether it was enough.
        if asked_s >= SHORTEST_HINT_S and late_s <= 0.1 * asked_s and first.fate is not Fate.FAILED:
            self.kept_word.append(first.fate is Fate.PASSED)

    def _note_what_is_stated(self, answers: tuple[Answer, ...]) -> None:
        for answer in answers:
            self.limit = answer.limit if answer.limit is not None else self.limit
            self.token_limit = answer.token_limit if answer.token_limit is not None else self.token_limit
            self.cost_tokens = answer.tokens if answer.tokens is not None else self.cost_tokens
        stated = [answer.left for answer in answers if answer.left is not None]
        self.left = min(stated) if stated else None

    def _note_at_once(self, answers: tuple[Answer, ...]) -> None:
        """How many were being answered at the same time, and whether that was too many."""
        passed = [answer for answer in answers if answer.fate is Fate.PASSED]
        for one in passed:
            together = sum(other.sent_s <= one.answered_s and other.ended_s >= one.answered_s for other in passed)
            self.most_at_once = max(self.most_at_once, together)
        refused = [answer for answer in answers if answer.cause is Cause.AT_ONCE]
        if refused:
            met = len(passed) or 1
            known = self.at_once is None
            self.at_once = Range(float(met), float(min(met, self.most_at_once or met)), float(met))
            self.refusal = self.refusal or refused[-1]
            if known:
                self.findings.append(f"no more than {exact(met)} at once")

    # ── what follows ───────────────────────────────────────────────────────────────────────────────────

    @property
    def events(self) -> list[Event]:
        """What happened, in order, and without what was only foretold."""
        return self._events(1.0)

    @property
    def slack_s(self) -> float:
        """By how much the instant of a single request is uncertain, all in all."""
        spreads = [event.spread_s for event in self.events if event.passed == 1]
        return SLACK_S + (max(spreads[-5:]) if spreads else 0.0)

    @property
    def fits(self) -> list[Fit]:
        """The kinds, the likeliest first; without what servers foretell and state, where nothing explains that.

        Needs something that passed.
        """
        if self._fitted is None or self._fitted[0] != len(self._batches):
            self._fitted = (len(self._batches), self._fit())
        return self._fitted[1]

    @property
    def likeliest(self) -> Fit:
        """The kind that explains most."""
        return self.fits[0]

    @property
    def decided(self) -> bool:
        """Whether one kind explains it, and the others do not."""
        first, second, *_ = self.fits
        return first.misfits + 1 < second.misfits and first.misfits * 20 <= len(self._batches)

    def passed_since(self, at_s: float) -> int:
        """How many that were sent since then were let through."""
        return sum(one.fate is Fate.PASSED and one.sent_s > at_s for batch in self._batches for one in batch)

    def _fit(self) -> list[Fit]:
        found: list[Fit] = []
        for times in (1.0, 3.0, math.inf):
            again = self._fit_to(self._events(times))
            if not found or again[0].strain < found[0].strain:
                found = again
            # Who is contradicted by instants alone took somebody for prompter than he was.
            if found[0].misfits > 0 or found[0].explains_all:
                break
        return found

    def _fit_to(self, happened: list[Event]) -> list[Fit]:
        last_s = max(event.at_s for event in happened)
        # What is foretold for an instant that is still to come says nothing yet.
        foretold = [event for event in self._foretold if event.at_s <= last_s]
        found = fits(sorted([*happened, *foretold], key=lambda event: event.at_s), SLACK_S)
        if found[0].misfits == 0:
            return found
        bare = fits([replace(event, left=None) for event in happened], SLACK_S)
        return bare if bare[0].misfits < found[0].misfits else found

    def _events(self, times: float) -> list[Event]:
        """With what passes judged within so many times what is usual."""
        # Refusals tell how long the server takes to judge: they are answered as soon as they are judged. Half of the
        # quickest one's time is the way back.
        took = sorted(one.answered_s - one.sent_s for batch in self._batches for one in paced(batch))
        judged_s, way_s = math.inf, 0.0
        if took:
            judged_s, way_s = times * (0.002 + 1.5 * took[int(0.9 * (len(took) - 1))]), 0.5 * took[0]
        return [event for batch in self._batches for event in batch_events(batch, judged_s, way_s)]


def paced(answers: Sequence[Answer]) -> list[Answer]:
    """Those that were refused for going too fast."""
    return [answer for answer in answers if answer.fate is Fate.REFUSED and answer.cause is not Cause.AT_ONCE]


def _open_again_s(answer: Answer) -> float:
    """The end of the wait that it asks for."""
    return answer.answered_s + answer.hint_s if answer.hint_s is not None else _NEVER_S
