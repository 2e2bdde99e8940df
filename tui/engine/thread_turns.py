"""How long another thread may keep the interpreter while the event loop wants it. Starts no thread, and stops none.

The journal's thread works while calls are dispatched. In twelve seconds at 200 calls a second, 61 turns of the loop
took more than 5 ms, and of the 25 longest 16 had themselves worked for less than 2 ms: they waited for a processor or,
as many of them lay just above Python's own 5 ms, for the interpreter.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

THREAD_TURN_S = 0.0005
"""A tenth of Python's own: still many times what changing over costs."""


@contextmanager
def short_thread_turns() -> Iterator[None]:
    """Until its end, any thread gives the interpreter back within `THREAD_TURN_S` of another's wish for it.

    For the whole process; whoever had it shorter keeps that. Not to be entered by two threads at once.
    """
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(min(usual_s, THREAD_TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
