"""How the answers about the parts of one document become one: which are reduced together, and what is asked. Pure.

Answers are reduced level by level: as many neighbours as fit are put to the model together, and what it answers is the
next level's part, until one is left. The tree depends on nothing but the answers and the room, so that a resumed run
builds the same one.
"""

from collections.abc import Sequence
from itertools import count

from tui.core.live_tokens import CHARS_A_TOKEN

DEFAULT_REDUCE_PROMPT = (
    "The text below holds, in order, the answers that were given to one instruction about consecutive parts of one "
    "document. Combine them into one answer to that instruction, as if it had been given about the whole document. "
    "Say nothing of parts.\n\nInstruction:\n{instruction}\n\nAnswers:\n{text}"
)
"""`{instruction}` is the prompt of the run with a word for the document in place of its text."""
FEWEST = 2
"""Answers to reduce together, however long they are: fewer would never come to an end."""
HEADING_TOKENS = 8


def estimated_answer_tokens(answer: str) -> int:
    """A bound that needs no tokeniser and never changes: one token for so many bytes, and the heading."""
    # Bytes, for letters beyond ASCII take more tokens than others.
    return len(answer.encode("utf-8", "replace")) // (CHARS_A_TOKEN - 1) + HEADING_TOKENS


def groups(answers: Sequence[str], room_tokens: int) -> list[tuple[int, ...]]:
    """Indexes (from 0) of neighbouring answers to reduce together; one group: the last level."""
    grouped: list[list[int]] = []
    left = 0
    for index, answer in enumerate(answers):
        tokens = estimated_answer_tokens(answer)
        if not grouped or (tokens > left and len(grouped[-1]) >= FEWEST):
            grouped.append([])
            left = room_tokens
        grouped[-1].append(index)
        left -= tokens
    if len(grouped) > 1 and len(grouped[-1]) < FEWEST:  # one alone is no reduction: it goes with those before it
        last = grouped.pop()
        grouped[-1] += last
    return [tuple(group) for group in grouped]


def joined(answers: Sequence[str]) -> str:
    """Answers as one text, in order, each under its number."""
    return "\n\n".join(f"[Part {number} of {len(answers)}]\n{answer}" for number, answer in zip(count(1), answers))
