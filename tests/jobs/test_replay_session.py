"""A replay keeps the time it is told to keep, forth and back, and ends as the run did."""

from pathlib import Path

import pytest
from recorded_run import CALLS, a_recording, at

from tui.core.clock import NS_PER_S
from tui.core.commands import (
    CancelCall,
    ChangeSpeed,
    Close,
    Drain,
    Export,
    Pause,
    Resume,
    RetryFailed,
    SaveCall,
    Seek,
    SetRate,
    Stop,
    Watch,
)
from tui.jobs import replay_session
from tui.jobs.replay import Replay
from tui.jobs.replay_session import ReplaySession


class Player:
    """A session and the clock of its viewer."""

    def __init__(self, folder: Path, speed: float = 1.0) -> None:
        self.now = 77 * NS_PER_S
        self.session = ReplaySession(Replay(a_recording(folder), "run"), speed, lambda: self.now)

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * NS_PER_S)

    def stands_at(self, ms: float) -> bool:
        """Its picture is that of the run at this moment: one call a second, each of ten words from 100 ms on."""
        picture = self.session.latest
        begun = sum(1 for call in range(CALLS) if ms >= 1000 * call)
        ended = sum(1 for call in range(CALLS) if ms >= 1000 * call + 600)
        assert abs(picture.at - at(ms)) < 1000
        assert (picture.calls, picture.counts.done) == (begun, ended)
        return True


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def test_it_plays_as_fast_as_the_run_was(player: Player) -> None:
    assert player.session.latest.at == at(0)
    player.wait(2.3)
    assert player.stands_at(2300)
    (pane,) = [pane for pane in player.session.latest.panes if pane.call == 3]
    assert pane.text == "word0 word1 word2 word3 word4 "
    assert pane.prompt == "Name a river."


def test_it_plays_four_times_as_fast_when_asked_to(tmp_path: Path) -> None:
    player = Player(tmp_path, speed=4)
    player.wait(1.1)
    assert player.stands_at(4400)


def test_it_ends_as_the_run_did_and_stays_there(player: Player) -> None:
    player.wait(3600)
    picture = player.session.latest
    assert (picture.run.phase, picture.counts.done, player.session.over) == ("finished", CALLS, True)
    player.wait(5)
    assert player.session.latest == picture


def test_a_pause_stops_time_and_nothing_else_does(player: Player) -> None:
    player.wait(1.5)
    player.session.send(Pause())
    player.wait(100)
    assert player.stands_at(1500)
    assert player.session.latest.run.phase == "paused"
    player.session.send(Resume())
    assert player.session.latest.run.phase == "running"
    player.wait(1)
    assert player.stands_at(2500)


def test_one_goes_forth_and_back_also_while_it_stands(player: Player) -> None:
    player.wait(1.5)
    player.session.send(Seek(3))
    assert player.stands_at(4500)
    player.session.send(Pause())
    player.session.send(Seek(-2.2))
    assert player.stands_at(2300)
    player.session.send(Resume())
    player.wait(0.5)
    assert player.stands_at(2800)


def test_nobody_leaves_the_run_at_either_end(player: Player) -> None:
    player.wait(3)
    player.session.send(Seek(-1000))
    assert player.session.latest.at == at(0)
    assert player.session.latest.counts.done == 0
    player.session.send(Seek(1e9))
    assert player.session.latest.run.phase == "finished"
    player.session.send(Seek(-0.2))
    assert player.session.latest.run.phase == "running"
    assert player.session.latest.counts.done == CALLS  # their ends are 300 ms before the last fact


def test_going_back_and_playing_again_gives_the_same_picture(player: Player) -> None:
    player.session.send(Watch("table", 0, 100))
    player.wait(6.35)
    picture = player.session.latest
    player.session.send(Seek(-5))
    assert player.session.latest != picture
    player.session.send(Seek(5))
    assert player.session.latest == picture


def test_one_look_tells_so_much_and_time_waits_for_it(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_session, "MOST_A_LOOK", 20)
    player.wait(5.3)
    instants = [player.session.latest.at]
    while instants[-1] < at(5300):
        player.wait(1)  # which does not count while it catches up
        instants.append(player.session.latest.at)
        assert instants[-1] > instants[-2]
        assert len(instants) < 20
    assert len(instants) > 3
    assert player.stands_at(5300)
    player.wait(0.4)
    assert player.stands_at(5700)


def test_told_at_once_it_has_the_same_figures_as_played(player: Player, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    played = Player(tmp_path / "again")
    for _ in range(50):
        played.wait(0.33)
        assert played.session.latest
    player.wait(2)
    assert player.session.latest
    session, other = player.session, played.session
    assert session.replay.figures(session.tell_all()) == session.replay.figures(other.tell_all())
    assert session.latest.run.phase == "finished"


@pytest.mark.parametrize("command", [CancelCall(1), SetRate(9), RetryFailed(), Export("csv"), SaveCall(1)], ids=repr)
def test_what_a_replay_cannot_do_it_says(player: Player, command: CancelCall) -> None:
    before = player.session.latest
    player.session.send(command)
    run = player.session.latest.run
    assert run.notice == "this is a replay: nothing in it can be changed or saved"
    assert run.notices == before.run.notices + 1


@pytest.mark.parametrize("command", [Drain(), Stop()], ids=repr)
def test_whoever_wants_to_go_may_go_at_once(player: Player, command: Drain | Stop) -> None:
    player.wait(1)
    player.session.send(Close())
    assert player.session.latest.run.phase == "running"
    player.session.send(command)
    assert player.session.latest.run.phase == "finished"
    assert not player.session.over


def test_it_plays_faster_and_slower_from_where_it_stands(player: Player) -> None:
    player.wait(1)
    player.session.send(ChangeSpeed(4))
    player.wait(1)
    assert player.stands_at(5000)
    player.session.send(ChangeSpeed(0.125))
    player.wait(2)
    assert player.stands_at(6000)
    assert player.session.latest.run.notice == "plays at 0.5 times the run's own speed"


@pytest.mark.parametrize(("by", "speed"), [(1e300, "1000"), (1e-300, "0.01")])
def test_there_is_a_fastest_and_a_slowest(player: Player, by: float, speed: str) -> None:
    player.session.send(ChangeSpeed(by))
    assert player.session.latest.run.notice == f"plays at {speed} times the run's own speed"
