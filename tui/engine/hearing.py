"""An answer on its way to its judge: gathers its text, asks once it is whole, and says what another try could mend.

Only the content of the first choice is judged: reasoning, tool calls and further choices are no structured answer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tui.core.calls import TextKind
from tui.core.retry import Failure, FailureKind
from tui.core.structured import REJECTED, Judge
from tui.core.untrusted import clean_line

LONG_CHARS = 2_048
"""Longer answers are judged in a thread: by a schema that is 1 ms for each 1,300 characters (measured, jsonschema
4.26), in which no other stream would be read."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An answer that came whole and will not do."""

    answer: str
    why: str
    """In the judge's words."""
    failure: Failure
    """`should_retry` is False where the same request would only bring the same again, at the same price."""


class Hearing:
    """What one attempt brought, and the judgement on it."""

    def __init__(self, judge: Judge, redact: Callable[[str], str]) -> None:
        """`redact` hides keys. Before the answer is judged: a judge that quotes and crops could show half of one."""
        self._judge = judge
        self._redact = redact
        self._pieces: list[str] = []
        self._refused = False
        self._finish_reason = ""

    def text(self, kind: TextKind, text: str) -> None:
        """A piece of the first choice arrived."""
        if kind is TextKind.CONTENT:
            self._pieces.append(text)
        self._refused = self._refused or kind is TextKind.REFUSAL

    def stopped(self, reason: str) -> None:
        """The model said why it stopped the first choice."""
        self._finish_reason = reason

    async def rejection(self) -> Rejection | None:
        """The judgement on the whole answer; None: it is accepted."""
        answer = "".join(self._pieces)
        shown = self._redact(answer)
        long = len(shown) > LONG_CHARS
        why = await asyncio.to_thread(self._judge, shown) if long else self._judge(shown)
        if why is None:
            return None
        hopeless = hopeless_why(self._finish_reason, self._refused)
        failure = Failure(
            FailureKind.REJECTED,
            f"{REJECTED}{hopeless or clean_line(why)}",
            should_retry=False if hopeless else None,
            written=True,
        )
        return Rejection(answer, why, failure)


def hopeless_why(finish_reason: str | None, refused: bool) -> str:
    """Why another try at an answer that is not valid would fare no better; empty: it may."""
    if finish_reason == "length":
        return "it was cut at max_tokens, which has to be larger"
    if finish_reason == "content_filter":
        return "the server's content filter cut it"
    return "the model refused to answer" if refused else ""


__all__ = ["LONG_CHARS", "Hearing", "Rejection", "hopeless_why"]
