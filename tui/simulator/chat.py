"""A chat-completion request, read strictly. Knows what a request may say, not what the answer will be."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_CHOICES = 16


class BadField(Exception):
    """A request that a provider would refuse with 400; `param` names the field, None the whole body."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What one client asks for."""

    model: str
    digest: bytes
    """SHA-256 of the body as canonical JSON: equal requests have equal digests."""
    prompt_tokens: int
    stream: bool
    include_usage: bool
    choices: int
    most_tokens: int | None
    """`max_completion_tokens`, else `max_tokens`."""
    form: str
    """`text`, `json_object` or `json_schema`."""
    schema: Mapping[str, Any] | None
    answered: bool
    """An earlier answer is among the messages."""


def parse_chat(body: bytes) -> ChatRequest:
    """The request in `body`; BadField when it is not one."""
    try:
        fields = json.loads(body)
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise BadField("The body is nested too deeply.") from None
    except ValueError as error:
        raise BadField(f"The body is not valid JSON: {error}.") from None
    if not isinstance(fields, dict):
        raise BadField("The body must be a JSON object.")
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        raise BadField("You must provide a model parameter.", "model")
    stream = _flag(fields, "stream", "stream")
    form, schema = _response_format(fields.get("response_format"))
    temperature = fields.get("temperature")
    if temperature is not None and (isinstance(temperature, bool) or not isinstance(temperature, int | float)):
        raise BadField("'temperature' must be a number.", "temperature")
    return ChatRequest(
        model=model,
        digest=hashlib.sha256(canonical.encode()).digest(),
        prompt_tokens=_prompt_tokens(fields.get("messages")),
        stream=stream,
        include_usage=_include_usage(fields.get("stream_options"), stream),
        choices=_whole_number(fields, "n", MOST_CHOICES) or 1,
        most_tokens=_whole_number(fields, "max_completion_tokens") or _whole_number(fields, "max_tokens"),
        form=form,
        schema=schema,
        answered=any(message["role"] == "assistant" for message in fields["messages"]),
    )


_WORD = re.compile(r"\w+|[^\w\s]")


def count_tokens(text: str) -> int:
    """Words and punctuation marks: close to what a tokenizer makes of plain English, and quick."""
    return len(_WORD.findall(text))


def _prompt_tokens(messages: object) -> int:
    if not isinstance(messages, list) or not messages:
        raise BadField("'messages' must be a list with at least one message.", "messages")
    total = 3
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            raise BadField(f"'{where}' must be an object.", where)
        if not isinstance(message.get("role"), str):
            raise BadField(f"'{where}.role' must be a string.", f"{where}.role")
        total += 4 + _content_tokens(message.get("content"), f"{where}.content")
    return total


def _content_tokens(content: object, where: str) -> int:
    if content is None:
        return 0
    if isinstance(content, str):
        return count_tokens(content)
    if not isinstance(content, list):
        raise BadField(f"'{where}' must be a string, a list of parts or null.", where)
    total = 0
    for place, part in enumerate(content):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise BadField(f"'{where}[{place}]' must be an object with a type.", f"{where}[{place}]")
        text = part.get("text")
        total += count_tokens(text) if isinstance(text, str) else 0
    return total


def _flag(fields: Mapping[str, Any], name: str, where: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadField(f"'{where}' must be a boolean.", where)
    return bool(value)


def _whole_number(fields: Mapping[str, Any], name: str, most: int | None = None) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadField(f"'{name}' must be an integer.", name)
    if value < 1 or (most is not None and value > most):
        raise BadField(f"'{name}' must be {'1 or more' if most is None else f'from 1 to {most}'}.", name)
    return value


def _include_usage(options: object, stream: bool) -> bool:
    if options is None:
        return False
    if not isinstance(options, dict):
        raise BadField("'stream_options' must be an object.", "stream_options")
    if not stream:
        raise BadField("'stream_options' is only allowed when 'stream' is true.", "stream_options")
    return _flag(options, "include_usage", "stream_options.include_usage")


def _response_format(value: object) -> tuple[str, Mapping[str, Any] | None]:
    if value is None:
        return "text", None
    form = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or form not in ("text", "json_object", "json_schema"):
        raise BadField("'response_format.type' must be one of text, json_object, json_schema.", "response_format")
    if form != "json_schema":
        return str(form), None
    described = value.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(schema, dict):
        raise BadField("'response_format.json_schema.schema' must be an object.", "response_format.json_schema.schema")
    return "json_schema", schema
