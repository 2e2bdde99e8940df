"""A run's calls, filtered and sorted, seen through a window. Runs on the engine's loop, so it does little at a time.

An ended call is looked at once and kept in its place; those that still run are looked at again four times a second.
Nothing here asks a clock or changes a call.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from tui.core.call_figures import COUNTED_LATE, FIGURES, prompt_head, retries, total_ns, uncounted
from tui.core.calls import TERMINAL, State
from tui.core.clock import NS_PER_MS
from tui.core.entries import CallEntry
from tui.core.ledger import Ledger
from tui.core.money import Price
from tui.core.query import TROUBLE, QueryError, parse
from tui.core.sorted_items import Both, Item, SortedItems

COLUMNS: tuple[str, ...] = (
    "id", "state", "model", "prompt", "queue", "attempts", "status", "ttft", "tok/s", "tokens", "cost", "total",
)  # fmt: skip
"""The table's columns, each of them an order."""

WALL_ORDERS: tuple[str, ...] = ("place", "newest", "slowest", "failing")
"""Those of the wall."""

REFRESH_NS = 250 * NS_PER_MS
STEPS = 700
"""How many calls, ended and running together, are looked at for one window; fewer where costs are reckoned or long
texts searched: 1 to 3 ms of the loop, measured.
"""
COST_STEPS = 3
"""A cost takes so many steps more for each attempt: it is decimal arithmetic. Measured: 9 µs, other figures 2 to 3."""
PROMPT_STEPS = 1
"""So many more takes the start of a prompt, for it is cleaned first: 6 µs."""
RUNNING_A_STEP = 4
"""So many running calls are put in order anew in a step, whether they are looked at or not."""
BEGUN_AT_ONCE = 5_000
RECOUNTED_AT_ONCE = 200
_TEXT_KEY_CHARS = 80
_UNSEEN: Item = ()
"""Of a running call that nobody has looked at since the list was begun."""


@dataclass(frozen=True, slots=True)
class Window:
    """What can be seen of the list."""

    calls: list[int]
    first: int
    """Where in the list the window begins; what was asked, as far as the list reaches."""
    listed: int
    """Calls in the list."""
    error: str | None
    """Why the filter cannot be read; then it filters nothing."""


class Listing:
    """The list of one run's calls, in whatever order and through whatever filter was last asked for."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.complete = True
        """The last window was one on the whole list; False while calls are still to be looked at: ask again, with the
        same `now` if it must be, and the list will have grown.
        """
        self._typed: str | None = None
        self._query = parse("")
        self._error: str | None = None
        self._asked: tuple[str, str, bool] | None = None
        """Filter, order and everything, as the list has them."""
        self._everything = True
        self._key: Key = _KEYS["id"]
        self._counted_late = False
        """Filter or order look at figures that change when tokens are counted after a call's end."""
        self._costs = 0
        """How often a look reckons a call's cost: for the order, for the filter."""
        self._order_steps = 0
        self._looked_at = 0
        """When it was last the turn of the running calls."""
        self._seen_all = False
        """Every call that had begun by then has been looked at for this list."""
        self._prices: dict[str, Price | None] = {}

        self._begun = 0
        """How far `ledger.order` has been read."""
        self._running: dict[int, Item | None] = {}
        """The calls that run, each with its item; None: it does not pass. The one looked at longest ago comes first."""
        self._ended = 0
        """How far `ledger.ended_order` has been read."""
        self._present, self._absent = SortedItems(), SortedItems()
        """Ended calls that pass: with the figure that is sorted by, and without."""
        self._uncounted: dict[int, Item | None] = {}
        """Ended calls whose tokens may still be counted, by their item; None: they do not pass."""
        self._all_present, self._all_absent = Both(self._present, []), Both(self._absent, [])

    def window(
        self,
        query: str,
        order: str,
        descending: bool,
        first: int,
        count: int,
        follow: bool,
        now: int,
        everything: bool = True,
    ) -> Window:
        """The calls at the places `first` to `first + count` of the list at `now` (ns); with `follow`, its end.

        `order` is one of `COLUMNS` or `WALL_ORDERS`; any other is `id`. Calls without the figure that is sorted by
        come last in either direction; equal ones stand by their number, in the order's direction. `slowest`: running
        calls by how long they have said nothing (since they were due, or since their last text), then ended ones by
        total. `failing`: those that ended in trouble, then those that back off, then those with retries, then the
        rest, newest first in each. `place`: as `ledger.places` has them, or by id where it is filtered or everything
        is wanted. Without `everything`: running calls, and those that ended in trouble.

        A new filter or order is answered at once, with what `STEPS` allow; the list fills up over the next
        pictures. Texts of ended calls are searched when they are first looked at: one that is forgotten later stays
        listed. Running calls are looked at again after `REFRESH_NS`; moving the window costs no look.
        """
        self.complete = True
        self._parse(query)
        filtered = bool(query.strip()) and self._error is None
        if order == "place":
            if not filtered and not everything:
                return self._of_places(first, count, follow)
            order, everything = "id", True
        if order == "newest":
            order, descending = "id", not descending
        elif order not in _KEYS:
            order = "id"
        if order == "id" and everything and not filtered:
            return self._of_all(descending, first, count, follow)
        self._ask(query if filtered else "", order, everything)
        due = not 0 <= now - self._looked_at < REFRESH_NS
        if due or not self._seen_all:
            self._refresh(now, due)
        self.complete = self._seen_all
        present, absent = self._all_present, self._all_absent
        listed = len(present) + len(absent)
        first, count = _clamped(first, count, follow, listed)
        items: list[Item] = []
        for part, before in ((present, 0), (absent, len(present))):
            low, high = _part(first - before, count, len(part))
            if descending:
                items += reversed(part.window(len(part) - high, high - low))
            else:
                items += part.window(low, high - low)
        return Window([item[-1] for item in items], first, listed, self._error)

    def _of_places(self, first: int, count: int, follow: bool) -> Window:
        places = self._ledger.places
        first, count = _clamped(first, count, follow, len(places))
        return Window(places.window(first, count), first, len(places), self._error)

    def _of_all(self, descending: bool, first: int, count: int, follow: bool) -> Window:
        order = self._ledger.order
        first, count = _clamped(first, count, follow, len(order))
        if descending:
            end = len(order) - first
            return Window(order[end - count : end][::-1], first, len(order), self._error)
        return Window(order[first : first + count], first, len(order), self._error)

    # ── keeping the list ───────────────────────────────────────────────────────────────────────────────

    def _parse(self, typed: str) -> None:
        if typed == self._typed:
            return
        self._typed, self._error = typed, None
        try:
            self._query = parse(typed)
        except QueryError as problem:
            self._query = parse("")
            self._error = f"{problem}; {problem.hint}"

    def _ask(self, query: str, order: str, everything: bool) -> None:
        """Begin the list anew when another one is wanted, or when its ended calls cost something else than before."""
        asked = (query, order, everything)
        costs = (order == "cost") + ("cost" in self._query.figures)
        if asked == self._asked and not (costs and self._prices != self._ledger.prices):
            return
        self._asked, self._everything, self._key = asked, everything, _KEYS[order]
        self._prices = dict(self._ledger.prices)
        self._ended, self._seen_all = 0, False
        self._present, self._absent = SortedItems(), SortedItems()
        self._uncounted.clear()
        self._running = dict.fromkeys(self._running, _UNSEEN)
        self._costs, self._order_steps = costs, PROMPT_STEPS if order == "prompt" else 0
        self._counted_late = order in COUNTED_LATE or bool(self._query.figures & COUNTED_LATE)

    def _refresh(self, now: int, due: bool) -> None:
        """Go on with the list as far as `STEPS` allow; `due`: running calls are looked at again, not only new ones."""
        if due:
            self._looked_at = now
        self._take_begun()
        wanted = due or _UNSEEN in self._running.values()
        steps = STEPS - min(len(self._running) // RUNNING_A_STEP, STEPS // 2)
        # Half for each: a list that fills for seconds would hide what runs, and long running texts what has ended.
        kept_back = steps // 2 if wanted and self._running else 0
        steps = self._take_ended(now, steps - kept_back)
        steps = self._recount(now, steps)
        self._look_at_running(now, steps + kept_back, due)
        ledger = self._ledger
        read_all = self._ended == len(ledger.ended_order) and self._begun == len(ledger.order)
        self._seen_all = read_all and _UNSEEN not in self._running.values()
        items = [item for item in self._running.values() if item]
        self._all_present = Both(self._present, [item for item in items if len(item) > 1])
        self._all_absent = Both(self._absent, [item for item in items if len(item) == 1])

    def _steps(self, call: CallEntry) -> int:
        """How long a look at this call takes at most."""
        costs = self._costs * COST_STEPS * len(call.attempts) if self._costs else 0
        return self._query.steps(call) + self._order_steps + costs

    def _take_ended(self, now: int, steps: int) -> int:
        """Look at calls that have ended since; the steps that are left."""
        ledger = self._ledger
        ended = ledger.ended_order
        while self._ended < len(ended) and steps > 0:
            call = ledger.calls[ended[self._ended]]
            self._ended += 1
            steps -= self._steps(call)
            item = self._place(call, now)
            if self._counted_late and uncounted(call):
                self._uncounted[call.id] = item
        return steps

    def _place(self, call: CallEntry, now: int) -> Item | None:
        """Put an ended call where it belongs; None when it does not pass."""
        if not self._passes(call, now):
            return None
        item = _item(self._key, self._ledger, call, now)
        (self._present if len(item) > 1 else self._absent).add(item)
        return item

    def _recount(self, now: int, steps: int) -> int:
        """Place those anew whose tokens have been counted since they ended; the steps that are left."""
        for number in list(islice(self._uncounted, RECOUNTED_AT_ONCE)):
            if steps <= 0:
                break
            item = self._uncounted.pop(number)
            call = self._ledger.calls[number]
            if uncounted(call):
                self._uncounted[number] = item  # behind the others
                continue
            if item is not None:
                (self._present if len(item) > 1 else self._absent).remove(item)
            steps -= self._steps(call)
            self._place(call, now)
        return steps

    def _take_begun(self) -> None:
        """Read which calls have begun since."""
        ledger = self._ledger
        for number in ledger.order[self._begun : self._begun + BEGUN_AT_ONCE]:
            self._begun += 1
            if ledger.calls[number].state not in TERMINAL:
                self._running[number] = _UNSEEN

    def _look_at_running(self, now: int, steps: int, due: bool) -> None:
        """Ask which running calls pass and where they belong, as far as `steps` allow; drop the ended.

        Unless it is `due`, only those that have not been looked at for this list.
        """
        ledger = self._ledger
        for number, item in list(self._running.items()):
            call = ledger.calls[number]
            if call.state in TERMINAL:
                del self._running[number]
            elif steps > 0 and (due or item == _UNSEEN):
                steps -= self._steps(call)
                del self._running[number]
                passes = self._passes(call, now)
                self._running[number] = _item(self._key, ledger, call, now) if passes else None

    def _passes(self, call: CallEntry, now: int) -> bool:
        if not self._everything and call.state in TERMINAL and call.state not in TROUBLE:
            return False
        return self._query.matches(self._ledger, call, now)


def _clamped(first: int, count: int, follow: bool, listed: int) -> tuple[int, int]:
    """Where a window of `count` may begin in a list of `listed`, and how much of it there is."""
    count = max(0, count)
    last = max(0, listed - count)
    first = last if follow else min(max(0, first), last)
    return first, min(count, listed - first)


def _part(first: int, count: int, length: int) -> tuple[int, int]:
    """What a window from `first` (below 0: it begins before) covers of a part that is `length` long."""
    low = min(max(0, first), length)
    return low, max(low, min(first + count, length))


# ── orders ─────────────────────────────────────────────────────────────────────────────────────────────

Key = Callable[[Ledger, CallEntry, int], tuple[object, ...]]
"""What a call is sorted by; empty where it is absent."""

_STATE_RANK = {state: rank for rank, state in enumerate(State)}


def _item(key: Key, ledger: Ledger, call: CallEntry, now: int) -> Item:
    return (*key(ledger, call, now), call.id)


def _by_figure(name: str) -> Key:
    figure = FIGURES[name]

    def key(ledger: Ledger, call: CallEntry, now: int) -> tuple[object, ...]:
        value = figure(ledger, call, now)
        return () if value is None else (value,)

    return key


def _slowest(ledger: Ledger, call: CallEntry, now: int) -> tuple[object, ...]:
    if call.ended_at is not None:
        return 1, -total_ns(call, now)
    last = call.attempts[-1].last_token_at if call.attempts else None
    return 0, call.due_at if last is None else last


def _failing(ledger: Ledger, call: CallEntry, now: int) -> tuple[object, ...]:
    if call.state in TROUBLE:
        return 0, -call.id
    if call.state is State.BACKING_OFF:
        return 1, -call.id
    return (2 if retries(call) else 3), -call.id


_KEYS: dict[str, Key] = {
    **{name: _by_figure(name) for name in COLUMNS if name in FIGURES},
    "state": lambda ledger, call, now: (_STATE_RANK[call.state],),
    "model": lambda ledger, call, now: (call.model.casefold(),),
    "prompt": lambda ledger, call, now: (prompt_head(call)[:_TEXT_KEY_CHARS].casefold(),),
    "slowest": _slowest,
    "failing": _failing,
}
"""What each order sorts by. States stand in the order of a call's life."""
