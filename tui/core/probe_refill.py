"""How fast a token bucket refills: what gathers in it while nobody asks, and at which pace it gives out. Pure."""

import math

from tui.core.probe_evidence import Evidence
from tui.core.probe_fits import BUCKET, Fit
from tui.core.probe_moves import Moves, Steps
from tui.core.probe_seen import Range

NARROW = 0.025
"""Half the width of the bounds of a figure that is good enough, as a fraction of it."""
LIMIT_NAMED = 0.08
"""The same, where the server states a limit that lies between them."""
_MOST_CYCLES = 16
_PATIENCE = 6
"""Cycles that may teach nothing before it is given up."""
_SMALL = 2.0
"""Requests; a bucket with room for fewer is tested one slot at a time."""
_LONG = 45
"""Requests of a paced row, where that many may be under way, …"""
_ROW_S = 90.0
"""… and it does not take longer than that."""


def is_narrow(evidence: Evidence, rpm: Range) -> bool:
    """Whether a rate is known well enough."""
    stated = evidence.limit
    if stated is not None and rpm.low is not None and rpm.high is not None and rpm.low <= stated <= rpm.high:
        return rpm.spread <= LIMIT_NAMED
    return rpm.spread <= NARROW


def measure_refill(moves: Moves) -> Steps:
    """Take what has gathered, after ever longer rests; where none is short enough, keep a pace until it refuses."""
    evidence = moves.evidence
    gather, width, in_vain = 2.0, math.inf, 0
    for cycle in range(_MOST_CYCLES):
        fit = evidence.likeliest
        in_vain = in_vain + 1 if fit.rpm.spread > 0.95 * width and math.isfinite(width) else 0
        if fit.kind != BUCKET or is_narrow(evidence, fit.rpm) or in_vain >= _PATIENCE:
            return
        width = fit.rpm.spread
        low = (fit.rpm.low or 0.1) / 60.0
        room = max(0.0, (fit.burst.low or 1.0) - 1.5)
        if 0.0 < room < _SMALL or max(room, 1.0) / low < 2.0 * evidence.answer_s:
            yield from _keep_a_pace(moves, fit, cycle)
            continue
        per_s = _supposed_per_s(fit, room)
        gather = min(room, max(gather * 2.0, 40.0 * evidence.slack_s * per_s))
        if evidence.left is not None and room >= 8.0:
            yield from _look_at_what_is_left(moves, per_s, room)
            continue
        gather = float(int(gather))
        yield from moves.rest_politely(evidence.last_s + (gather + 1.0) / per_s)
        if room < _SMALL:
            # It is full soon, and then tells nothing: one that comes too early is what bounds it.
            yield from moves.send(int(gather) + 1)
        else:
            yield from moves.take_all(int(gather) + 2)


def _supposed_per_s(fit: Fit, room: float) -> float:
    """The refill that the next rest is made for."""
    low, high = fit.rpm.low or 0.1, fit.rpm.high
    if room < _SMALL:
        # In the middle of what it may be, so that either outcome halves that.
        return (2.0 * low if high is None else math.sqrt(low * high)) / 60.0
    # While the refill may be anything, waiting for what is sure to come teaches most.
    return (low if high is None or high > 1.5 * low else (low + high) / 2) / 60.0


def _look_at_what_is_left(moves: Moves, per_s: float, room: float) -> Steps:
    """Where the server states what is left, one request tells what has gathered."""
    gathered = (moves.now_s - moves.evidence.refused_s) * per_s
    more = min(max(8.0, gathered), room - gathered)
    if more < 1.0:  # it is about to be full: empty it, and begin again
        yield from moves.take_all((moves.evidence.left or 0) + 1)
        return
    yield from moves.rest_politely(moves.now_s + more / per_s)
    yield from moves.send(1)


def _keep_a_pace(moves: Moves, fit: Fit, cycle: int) -> Steps:
    """From a full bucket, faster than it refills, until it refuses: where it is full before an answer has ended."""
    low, high = (fit.rpm.low or 0.1) / 60.0, fit.rpm.high
    size = max(1, round(fit.burst.estimate or 1.0))
    if high is None or high > 75.0 * low:
        # Take what is there, then ever faster: between the last pause that was long enough and the first that was not.
        gaps_s = [0.0] * (size - 1) + [1.05 / low * 0.85**step for step in range(24)]
    elif size == 1:
        slowest_s, fastest_s = 1.01 / low, 0.99 * 60.0 / high
        shrink = 0.985 if cycle % 2 else 0.97
        steps = 2 + math.ceil(math.log(fastest_s / slowest_s) / math.log(shrink))
        gaps_s = [slowest_s * shrink**step for step in range(steps)]
    else:
        # So much too fast that what is gained on the refill is used up at the end of the row; of another length each.
        row = max(size + 2, min(moves.at_once - 2, max(_LONG, 2 * size), int(_ROW_S * low)) - 3 * (cycle % 4))
        pace = math.sqrt(low * high / 60.0) / (1.0 - (size - 1) / row)
        gaps_s = [1.0 / pace] * (row + 6)
    yield from moves.rest_politely(full_again_s(moves.evidence, fit))
    yield from moves.pace(gaps_s)


def full_again_s(evidence: Evidence, fit: Fit) -> float:
    """When a bucket of this kind is full again for sure."""
    per_s = max(fit.rpm.low or 0.0, 0.1) / 60.0
    return evidence.last_s + (fit.burst.high or 1.0) / per_s * 1.02 + evidence.slack_s
