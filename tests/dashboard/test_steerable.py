"""A replay and a probe offer the keys that mean something to them, and say why when another one is pressed."""

import pytest
from fake_session import FakeSession
from msgspec.structs import replace
from screen_under_test import Screen, screen

from tui.core.calls import State
from tui.core.commands import AnyCommand, ChangeSpeed, Drain, Pause, Resume, SaveScreenshot, Seek, Watch
from tui.core.snapshot import RunView, Snapshot
from tui.dashboard.footer import Footer
from tui.dashboard.help_dialog import HelpDialog
from tui.dashboard.keys import Key
from tui.dashboard.main_screen import hints_for
from tui.dashboard.palette import PaletteDialog
from tui.dashboard.run_keys import RUN_KEYS, groups_of
from tui.dashboard.steerable import STEERING, meant, why_not
from tui.dashboard.steering import Steering
from tui.dashboard.table import TableView
from tui.dashboard.view import Focused
from tui.dashboard.wall import Wall

LIVE = RunView("load", "m", "host/v1", 0, "running")
REPLAY = replace(LIVE, replay=True)
PROBE = replace(LIVE, job="probe")


class Reshaped(FakeSession):
    """A session whose run is another one."""

    def __init__(self, **run: object) -> None:
        self.run = run
        super().__init__()

    def go(self, t_s: float) -> Snapshot:
        snapshot = super().go(t_s)
        self.latest = replace(snapshot, run=replace(snapshot.run, **self.run))
        return self.latest


class Person:
    """Everything that steers is asked for; what was sent and said."""

    def __init__(self, run: RunView) -> None:
        self.sent: list[AnyCommand] = []
        self.said: list[str] = []
        self.steering = Steering(self.sent.append, lambda text, ink="amber", stays=False: self.said.append(text))
        snapshot = FakeSession().go(14)
        self.steering.snapshot = replace(snapshot, run=replace(run, rpm_limit=60), unanswered=50)

    def ask_for_all(self) -> None:
        steering = self.steering
        for wish in (
            steering.pause,
            lambda: steering.move_rate(1),
            lambda: steering.set_rate(7),
            lambda: steering.move_concurrency(1),
            lambda: steering.set_concurrency(7),
            lambda: steering.cancel(Focused(1, State.STREAMING)),
            lambda: steering.cancel(None),
            lambda: steering.retry(Focused(1, State.FAILED)),
            steering.retry_failed,
            steering.stop_dispatching,
            lambda: steering.export("csv", "", "id", False),
            lambda: steering.save(1),
            lambda: steering.seek(10),
        ):
            wish()


def words(hints: list[tuple[str, str]]) -> set[str]:
    return {word for _, word in hints}


@pytest.mark.parametrize("view", [Wall, TableView])
def test_the_last_row_offers_what_can_be_done(view: type[Wall | TableView]) -> None:
    live, replayed, probed = (words(hints_for(run, view.HINTS)) for run in (LIVE, REPLAY, PROBE))
    assert {"pause", "rate", "at once", "stop", "cancel"} <= live
    assert {"pause", "10 s", "speed", "open", "sort", "filter"} <= replayed
    assert not {"rate", "at once", "stop", "cancel", "retry", "export", "picture"} & replayed
    assert "stop" in probed
    assert not {"pause", "rate", "at once", "cancel", "retry", "export", "picture", "10 s"} & probed


def test_at_its_end_a_run_is_exported_and_a_replay_goes_back() -> None:
    assert {"export", "picture"} <= words(hints_for(replace(LIVE, phase="finished"), ()))
    assert words(hints_for(replace(REPLAY, phase="finished"), ())) == {"quit", "keys", "pause", "10 s", "speed"}
    assert words(hints_for(replace(PROBE, phase="finished"), ())) == {"quit", "keys"}


def test_every_action_that_steers_is_a_key_s() -> None:
    named = {binding.action.partition("(")[0] for binding in RUN_KEYS if not isinstance(binding, tuple)}
    assert STEERING - {"save"} <= named  # which is the open call's
    assert meant("leave", REPLAY)
    assert why_not("trust", PROBE) is None


def test_of_a_replay_only_the_playing_is_steered() -> None:
    person = Person(REPLAY)
    person.ask_for_all()
    assert person.sent == [Pause(), ChangeSpeed(2.0), Seek(10)]
    assert set(person.said[1:]) == {"this is a replay: nothing in it can be changed or saved"}
    assert person.steering.over()
    assert person.steering.failed == 0


def test_a_probe_is_only_ended() -> None:
    person = Person(PROBE)
    person.ask_for_all()
    assert person.sent == [Drain()]
    assert person.said[0] == "a probe keeps its own pace; x ends it with what it has found"
    assert person.said[-1] == "only a replay (weir replay) goes back or on"


def test_a_live_run_obeys_all_but_seeking() -> None:
    person = Person(LIVE)
    person.ask_for_all()
    assert len(person.sent) == 11  # all but one cancelling, which has no call, and the seeking
    assert person.said[-1] == "only a replay (weir replay) goes back or on"


async def offered(shown: Screen) -> dict[str, Key]:
    groups = groups_of(shown.app.screen.active_bindings.values(), shown.app.main.shown)
    return {key.action: key for group in groups for key in group.keys}


async def test_help_and_palette_of_a_replay_have_its_keys_and_no_other() -> None:
    async with screen(Reshaped(replay=True)) as shown:
        keys = await offered(shown)
        assert {"pause", "seek(-10)", "seek(10)", "open", "trust", "leave"} <= set(keys)
        assert keys["pause"].words == "stand still, or play on"
        assert not {name for name in keys if name.partition("(")[0] in STEERING - {"pause", "seek", "rate"}}
        assert keys["rate(1)"].words == "twice as fast"
        await shown.press("question_mark")
        assert isinstance(shown.app.screen, HelpDialog)
        await shown.press("escape", "ctrl+p")
        assert isinstance(shown.app.screen, PaletteDialog)
        await shown.press(*"10 s back", "enter")
        assert shown.session.asked(Seek) == [Seek(-10)]
        await shown.press("S")
        assert "this is a replay" in shown.footer
        assert not shown.session.asked(SaveScreenshot)
        await shown.press("enter")
        assert "save" not in await offered(shown)
        await shown.frame(after_s=5)
        call_footer = shown.text(shown.app.screen.query_one(Footer))
        assert "Markdown" in call_footer
        assert not [word for word in ("cancel", "retry", "save") if word in call_footer]


async def test_help_of_a_probe_and_of_a_live_run() -> None:
    async with screen(Reshaped(job="probe")) as shown:
        keys = await offered(shown)
        assert keys["stop_dispatching"].words == "end the probe with what it has found"
        assert not {name for name in keys if name.partition("(")[0] in STEERING - {"stop_dispatching"}}
    async with screen() as shown:
        keys = await offered(shown)
        assert {"pause", "rate(1)", "concurrency(1)", "cancel", "retry_failed", "export"} <= set(keys)
        assert "seek(10)" not in keys


async def test_a_replay_says_what_it_is_plays_and_stands_still() -> None:
    session = Reshaped(replay=True)
    async with screen(session) as shown:
        assert "replay of load" in shown.header
        assert "● playing" in shown.header
        assert ", . 10 s" in shown.footer
        assert "cancel" not in shown.footer
        await shown.press("p")
        assert "standing still, p plays on" in shown.footer
        session.run["phase"] = "paused"
        await shown.show(14)
        assert "‖ standing still" in shown.header
        await shown.frame(after_s=5)
        assert "plays on" not in shown.footer  # what was said leaves, though nothing moves
        await shown.press("p", "full_stop", "comma", "c", "left_square_bracket", "left_curly_bracket", "x", "R")
        assert [each for each in session.sent if not isinstance(each, Watch)] == [
            Pause(), Resume(), Seek(10), Seek(-10), ChangeSpeed(0.5),
        ]  # fmt: skip
        assert "this is a replay" in shown.footer
        session.run["phase"] = "finished"
        await shown.show(14)
        assert "✓ the end" in shown.header
        assert ", goes back" in shown.header
