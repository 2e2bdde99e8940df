"""From the ledger to a Snapshot: what one pair of eyes can see of a run at one instant."""

from tui.core.call_figures import shown_cost
from tui.core.calls import State, Usage
from tui.core.clock import NS_PER_S
from tui.core.commands import Watch
from tui.core.full_call import full_call
from tui.core.histogram import Histogram
from tui.core.ledger import Ledger
from tui.core.limits_view import Gauges, limits_view
from tui.core.money import NOTHING, UNPRICED, CostSource, Money, cost_of
from tui.core.ordering import Listing, Window
from tui.core.panes import pane
from tui.core.rows import row
from tui.core.secrets import NO_MASK, Mask
from tui.core.snapshot import Counts, RunView, Snapshot, Spread
from tui.core.untrusted import clean_line
from tui.core.views import VIEWS, GoodputView, LimitsView, Timeline
from tui.core.waterfall import bar_of

_CHARTS_NS = NS_PER_S // 2
"""How long a drawn timeline is good for: nobody sees it change more often."""
_LIMITS_NS = NS_PER_S // 5


class RunCard:
    """What a run is called: the part of the picture that facts do not carry."""

    def __init__(
        self,
        job: str,
        model: str,
        endpoint: str,
        planned: int | None = None,
        record: str | None = None,
    ) -> None:
        self.job = job
        self.model = clean_line(model)
        self.endpoint = clean_line(endpoint)
        self.planned = planned
        self.record = record
        self.deadline_at: int | None = None


class Painter:
    """Makes the pictures of one run; keeps the lists that its views are windows on."""

    def __init__(self, ledger: Ledger, card: RunCard, mask: Mask = NO_MASK) -> None:
        """`mask` hides secrets in the texts: once wrapped and cropped on a screen, nobody could find them there."""
        self._ledger = ledger
        self._card = card
        self._mask = mask
        # One for each: who goes from one to another and back finds the list as it was.
        self._listings = {view: Listing(ledger) for view in VIEWS}
        self._timeline: Timeline | None = None
        self._limits: LimitsView | None = None
        self._timeline_at = self._limits_at = 0

    def picture(self, watch: Watch, now: int, gauges: Gauges | None = None) -> Snapshot:
        """The run as `watch` wants to see it at `now` (ns); `gauges` say how the limiter stands."""
        ledger, card, mask = self._ledger, self._card, self._mask
        window = self._window(watch, now)
        entries = [ledger.calls[call] for call in window.calls]
        rate = ledger.tokens_per_char
        focus = ledger.calls.get(watch.focus) if watch.focus is not None else None
        return Snapshot(
            at=now,
            run=_run(ledger, card, now),
            counts=Counts(**{state.name.lower(): count for state, count in ledger.states.items()}),
            attempts=ledger.attempts,
            retries=ledger.retries,
            http_429=ledger.http_429,
            unanswered=ledger.unanswered,
            attempts_60s=ledger.sent.within(now),
            attempts_by_second=ledger.sent_lately.by_second(now),
            tokens_60s=ledger.tokens_used.within(now),
            tokens=ledger.usage.completion + round(ledger.running_chars * rate),
            tokens_estimated=ledger.running_chars > 0 or ledger.tokens_estimated,
            tokens_per_s=_tokens_per_s(ledger, now),
            tokens_by_second=[round(chars * rate) for chars in ledger.chars_lately.by_second(now)],
            ttft=spread(ledger.ttft),
            ttft_by_second=ledger.ttft_lately.by_second(now),
            lag=spread(ledger.lag),
            late=ledger.late,
            shared=ledger.shared,
            dispatch_error=spread(ledger.dispatch_error),
            cost=shown_cost(_priced(ledger, card.model, ledger.spent + _all_running_cost(ledger, card))),
            goodput=_goodput(ledger),
            lane_closed_until=ledger.lane_closed_until,
            lane_closed_why=ledger.lane_closed_why,
            calls=len(ledger.calls),
            watch=watch,
            listed=window.listed,
            first=window.first,
            query_error=window.error,
            panes=[pane(ledger, call, now, watch.tail_chars, mask) for call in entries] if watch.view == "wall" else [],
            rows=[row(ledger, call, now, mask) for call in entries] if watch.view == "table" else [],
            bars=[bar_of(call, mask) for call in entries] if watch.view == "waterfall" else [],
            timeline=self._timeline_now(now) if watch.view == "charts" else None,
            limits=self._limits_now(now, gauges or Gauges()) if watch.view == "limits" else None,
            focus=full_call(ledger, focus, now, watch.focus_tail, mask) if focus is not None else None,
        )

    def shown(self, watch: Watch, now: int) -> list[int]:
        """The calls in the window that is watched."""
        return self._window(watch, now).calls

    def _window(self, watch: Watch, now: int) -> Window:
        if watch.view not in ("wall", "table", "waterfall"):
            return Window([], 0, 0, None)
        everything = watch.everything or watch.view != "wall"
        return self._listings[watch.view].window(
            watch.query, watch.order, watch.descending, watch.first, watch.count, watch.follow, now, everything
        )

    def _timeline_now(self, now: int) -> Timeline:
        if self._timeline is None or not self._timeline_at <= now < self._timeline_at + _CHARTS_NS:
            ledger = self._ledger
            self._timeline = ledger.history.timeline(now, ledger.tokens_per_char, ledger.prices)
            self._timeline_at = now
        return self._timeline

    def _limits_now(self, now: int, gauges: Gauges) -> LimitsView:
        if self._limits is None or not self._limits_at <= now < self._limits_at + _LIMITS_NS:
            self._limits = limits_view(self._ledger, gauges, now)
            self._limits_at = now
        return self._limits


def _tokens_per_s(ledger: Ledger, now: int) -> float:
    """Of the last two seconds while it runs; of the whole run once it has ended."""
    if ledger.ended_at is None or ledger.measured_from is None or ledger.last_ended_at is None:
        return ledger.chars_lately.per_second(now) * ledger.tokens_per_char
    wall_ns = ledger.last_ended_at - ledger.measured_from
    return ledger.measured_usage.completion * NS_PER_S / wall_ns if wall_ns > 0 else 0.0


def spread(histogram: Histogram) -> Spread | None:
    """A histogram's figures; None when it is empty."""
    found = histogram.quantiles(0.5, 0.95, 0.99)
    if found is None:
        return None
    p50, p95, p99 = found
    return Spread(histogram.n, p50, p95, p99, histogram.maximum)


def _run(ledger: Ledger, card: RunCard, now: int) -> RunView:
    return RunView(
        job=card.job,
        model=card.model,
        endpoint=card.endpoint,
        started_at=ledger.started_at if ledger.started_at is not None else now,
        phase=ledger.phase,
        ended_at=ledger.ended_at,
        planned=card.planned,
        deadline_at=card.deadline_at,
        concurrency=ledger.concurrency,
        rpm_limit=ledger.rpm,
        tpm_limit=ledger.tpm,
        record=card.record,
        notice=ledger.notice,
        notices=ledger.notices,
    )


def _goodput(ledger: Ledger) -> GoodputView | None:
    goodput = ledger.goodput
    if goodput is None:
        return None
    return GoodputView(str(goodput.objectives), goodput.met, goodput.ended, goodput.share)


def _priced(ledger: Ledger, model: str, money: Money) -> Money:
    """`money`, or nothing known while nobody has said what the model costs: $0 would be a claim."""
    return money if ledger.prices.get(model) is not None else UNPRICED


def _all_running_cost(ledger: Ledger, card: RunCard) -> Money:
    """What the attempts under way cost, by their characters, so that it costs no walk."""
    running = ledger.states[State.CONNECTING] + ledger.states[State.STREAMING]
    price = ledger.prices.get(card.model)
    if not running or price is None:
        return NOTHING
    prompts = round(ledger.running_prompt_chars * ledger.prompt_tokens_per_char)
    usage = Usage(prompts, round(ledger.running_chars * ledger.tokens_per_char))
    return Money(cost_of(usage, price), CostSource.ESTIMATED)
