"""`--prompts FILE`: a corpus, one prompt a line, read as it is needed. Sends nothing, keeps nothing.

`.txt`: each line that is not blank is a user message.
`.jsonl`: each line that is not blank is a JSON object with `prompt` (a string) or `messages` (a list as the
chat API takes it), optionally `system` (a string, put in front), and any of the request fields in `PARAMS`.
Text is UTF-8, with or without a byte order mark; lines end in LF or CRLF and in nothing else, so that U+2028
inside a prompt stays inside.
"""

import os
import stat
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tui.core.errors import UsageError
from tui.core.untrusted import clean_line

MAX_LINE_BYTES = 16 << 20
CHECKED_BYTES = 64 << 20
"""Files up to this size are read through before the first request; larger ones as they are used."""
_BOM = b"\xef\xbb\xbf"


class Prompt(msgspec.Struct, frozen=True):
    """What to ask: chat messages and further fields of the request body."""

    messages: tuple[dict[str, Any], ...]
    params: dict[str, Any] = {}


def check_prompts(path: Path) -> int | None:
    """Read the file through and say how many prompts it has; UsageError at the first line that is wrong.

    None: it is larger than `CHECKED_BYTES` and only its first prompt was looked at.
    """
    with closing(read_prompts(path)) as prompts:
        if next(prompts, None) is None:
            raise UsageError(clean_line(str(path)), "has no prompts", "put one on each line")
        if path.stat().st_size > CHECKED_BYTES:
            return None
        return 1 + sum(1 for _ in prompts)


def read_prompts(path: Path) -> Generator[Prompt, None, None]:
    """The file's prompts, one line at a time; UsageError that names `file:line` at a line that is wrong.

    The file is opened by this call, so that one that cannot be read is refused here.
    """
    parsers = {".txt": _text_line, ".jsonl": _json_line}
    parser = parsers.get(path.suffix.lower())
    where = clean_line(str(path))
    if parser is None:
        raise UsageError(where, "is neither .txt nor .jsonl", "name a file with one prompt a line")
    return _prompts(_open(path, where), where, parser)


def _prompts(file: BinaryIO, where: str, parser: Callable[[str], Prompt]) -> Generator[Prompt, None, None]:
    with file:
        for number in count(1):
            try:
                line = file.readline(MAX_LINE_BYTES + 1)
            except OSError as error:
                raise _unreadable(where, error) from error
            if not line:
                return
            try:
                text = _text_of(line.removeprefix(_BOM) if number == 1 else line)
                if text.strip():
                    yield parser(text)
            except Unfit as unfit:
                raise UsageError(f"{where}:{number}", unfit.what, unfit.hint) from unfit.__cause__


def _text_of(line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise Unfit("is longer than 16 MB", "put each prompt on a line of its own")
    try:
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unfit(f"is not UTF-8 at byte {error.start + 1}", "save the file as UTF-8") from error


class Unfit(Exception):
    """A line is no prompt: what is wrong with it, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def _text_line(line: str) -> Prompt:
    return Prompt(({"role": "user", "content": line},))


def _json_line(line: str) -> Prompt:
    try:
        fields = msgspec.json.decode(line)
    except msgspec.DecodeError as error:
        # msgspec says "JSON is malformed: invalid character (byte 17)".
        raise Unfit(f"is not JSON: {error}", "each line is one JSON object") from error
    except RecursionError as error:
        raise Unfit("is nested too deeply", "each line is one JSON object") from error
    if not isinstance(fields, dict):
        raise Unfit(f"must be an object, got {_kind(fields)}", 'write {"prompt": "…"} or {"messages": […]}')
    return _prompt_of(fields)


def _prompt_of(fields: dict[str, Any]) -> Prompt:
    if ("prompt" in fields) == ("messages" in fields):
        raise Unfit(
            'has both "prompt" and "messages"' if "prompt" in fields else 'has no "prompt" or "messages"',
            "give exactly one of the two",
        )
    messages: list[dict[str, Any]] = []
    if "system" in fields:
        messages.append({"role": "system", "content": _text(fields, "system")})
    if "prompt" in fields:
        messages.append({"role": "user", "content": _text(fields, "prompt")})
    else:
        messages += _messages(fields["messages"])
    params = {name: value for name, value in fields.items() if name not in {"prompt", "messages", "system"}}
    for name, value in params.items():
        _check_param(name, value)
    return Prompt(tuple(messages), params)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise Unfit(f'"{name}" must be a string, got {_kind(value)}', "put quotes around it")
    if not value.strip():
        raise Unfit(f'"{name}" is empty', "leave the line out, or write something")
    return value


def _messages(value: Any) -> list[dict[str, Any]]:
    hint = 'write [{"role": "user", "content": "…"}]'
    if not isinstance(value, list):
        raise Unfit(f'"messages" must be a list, got {_kind(value)}', hint)
    if not value:
        raise Unfit('"messages" is empty', hint)
    for index, message in enumerate(value):
        name = f"messages[{index}]"
        if not isinstance(message, dict):
            raise Unfit(f'"{name}" must be an object, got {_kind(message)}', hint)
        if not isinstance(message.get("role"), str):
            raise Unfit(f'"{name}.role" must be a string, got {_kind(message.get("role"))}', hint)
        content = message.get("content")
        if not isinstance(content, str | list | None):
            raise Unfit(f'"{name}.content" must be a string, a list or null, got {_kind(content)}', hint)
    return value


_WHOLE = (int,)
_NUMBER = (int, float)
PARAMS: dict[str, tuple[type, ...]] = {
    "max_tokens": _WHOLE,
    "max_completion_tokens": _WHOLE,
    "n": _WHOLE,
    "seed": _WHOLE,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "presence_penalty": _NUMBER,
    "frequency_penalty": _NUMBER,
    "stop": (str, list),
    "reasoning_effort": (str,),
    "response_format": (dict,),
    "tools": (list,),
    "tool_choice": (str, dict),
}
"""Request fields a line may set, and the types they have."""


def _check_param(name: str, value: Any) -> None:
    types = PARAMS.get(name)
    if types is None:
        raise Unfit(
            f'has an unknown field "{clean_line(name)[:60]}"',
            f"fields are prompt or messages, system, {', '.join(PARAMS)}",
        )
    # bool is an int to Python and none to a server.
    if not isinstance(value, types) or isinstance(value, bool):
        expected = " or ".join(_KINDS[kind] for kind in types)
        raise Unfit(f'"{name}" must be {expected}, got {_kind(value)}', f'correct or drop "{name}"')
    if isinstance(value, int) and value < 1 and name in {"max_tokens", "max_completion_tokens", "n"}:
        raise Unfit(f'"{name}" must be 1 or more, got {value}', f'correct or drop "{name}"')


_KINDS = {str: "a string", list: "a list", dict: "an object", int: "a whole number", float: "a number"}


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _open(path: Path, where: str) -> BinaryIO:
    try:
        # O_NONBLOCK: opening a pipe would wait for its writer for ever. O_BINARY: Windows would change line ends.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(where, error) from error
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        what = "is a directory" if stat.S_ISDIR(mode) else "is not a regular file"
        raise UsageError(where, what, "name a .txt or .jsonl file")
    return os.fdopen(handle, "rb")


def _unreadable(where: str, error: OSError | ValueError) -> UsageError:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return UsageError(where, f"cannot be read: {reason}", "name a .txt or .jsonl file that you can read")
