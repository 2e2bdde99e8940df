"""The request of a call as a `curl` command without a secret: for the screen, and for files. Sends nothing."""

from collections.abc import Callable

from tui.core import figures
from tui.core.calls import CallPlan
from tui.core.curl import curl, in_command
from tui.core.secrets import Mask, Secret
from tui.engine.endpoint import Endpoint
from tui.wire.chat import chat_url, request_body

SHOWN_CHARS = 256 << 10
"""Of a command that goes to the screen: nobody reads more there, and a picture has room for 16 MB."""


class RequestTexts:
    """Commands of calls whose plans are still there."""

    def __init__(self, endpoint: Endpoint, plan_of: Callable[[int], CallPlan | None]) -> None:
        self._plan_of = plan_of
        self._url = chat_url(endpoint.base_url)
        self._header_names = [name for name, _ in endpoint.headers]
        # Prompts may hold a key as well as answers do, and in the body it may stand escaped.
        self._mask = Mask((*endpoint.secrets, *(Secret(in_command(each.reveal())) for each in endpoint.secrets)))
        self._shown: tuple[int, str] | None = None

    def shown(self, call: int) -> str | None:
        """For the screen, which asks for the same one many times a second; cut beyond `SHOWN_CHARS`.

        None when the plan is gone.
        """
        if self._shown is not None and self._shown[0] == call:
            return self._shown[1]
        plan = self._plan_of(call)
        if plan is None:
            return None
        self._shown = (call, self._cut(request_body(plan)))
        return self._shown[1]

    def whole(self, call: int) -> Callable[[], str] | None:
        """What makes the whole of it, in whatever thread; None when the plan is gone."""
        plan = self._plan_of(call)
        return None if plan is None else lambda: self._command(request_body(plan))

    def _command(self, body: bytes) -> str:
        return self._mask(curl(self._url, body, self._header_names))

    def _cut(self, body: bytes) -> str:
        # A byte becomes one character or more; beyond the cut there is room for a secret, so that it is seen whole.
        room = SHOWN_CHARS + self._mask.longest
        command = self._command(body[:room].decode("utf-8", "ignore").encode() if len(body) > room else body)
        if len(body) <= room and len(command) <= SHOWN_CHARS:
            return command
        # The quote stays open on purpose: pasted into a shell, half a request waits there and is not sent.
        size = figures.exact(len(body))
        return f"{command[:SHOWN_CHARS]}\n… cut here: the request has {size} bytes; w saves this call with all of it"
