"""Text is drawn with every frame, figures five times a second and charts twice."""

from tui.core.clock import NS_PER_S
from tui.dashboard.pace import Due, Pace

STEP = NS_PER_S // 15


def test_a_second_of_frames_has_five_of_figures_and_two_of_charts() -> None:
    pace = Pace()
    pace.due(0, True)
    dues = [pace.due(at, True) for at in range(STEP, NS_PER_S + STEP, STEP)]
    assert None not in dues
    assert sum(due.figures for due in dues if due) == 5
    assert sum(due.charts for due in dues if due) == 2


def test_without_anything_new_only_figures_are_drawn() -> None:
    pace = Pace()
    pace.due(0, True)
    assert pace.due(STEP, False) is None
    assert pace.due(3 * STEP, False) == Due(True, False)


def test_a_hurried_frame_draws_everything() -> None:
    pace = Pace()
    pace.due(0, True)
    pace.hurry()
    assert pace.due(1, False) == Due(True, True)
    assert pace.due(2, False) is None
