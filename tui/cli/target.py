"""The flags that say where calls go and what they ask for; shared by the verbs that make calls."""

import argparse
import json
import os
from typing import Any

from tui.cli.parsing import duration, number, whole
from tui.core.errors import UsageError
from tui.core.secrets import Secret
from tui.core.untrusted import clean_line
from tui.engine.endpoint import OPENAI_URL, Endpoint, TimeLimits
from tui.engine.user_headers import checked_header, checked_key
from tui.wire.chat import normalise_base_url

DEFAULT_KEY_ENV = "OPENAI_API_KEY"
_OURS = frozenset({"model", "messages", "stream"})


def add_target(parser: argparse.ArgumentParser, retries: bool = True) -> None:
    """--base-url, --model, keys and headers, request fields, time-outs; `retries` False: of a verb that sends all once,
    and so has no --retries."""
    where = parser.add_argument_group("where")
    where.add_argument(
        "--base-url",
        metavar="URL",
        help="the API, such as http://127.0.0.1:8600/v1; /v1 is added to a bare host "
        "(default: $OPENAI_BASE_URL, else OpenAI's if its key is set)",
    )
    where.add_argument("-m", "--model", help="model to ask (default: the server's only one)")
    where.add_argument(
        "--api-key-env",
        metavar="NAME",
        help=f"environment variable that holds the API key (default: {DEFAULT_KEY_ENV})",
    )
    where.add_argument(
        "-H",
        "--header",
        action="append",
        default=[],
        metavar="NAME: VALUE",
        help='further header, repeatable; "api-key: env:AZURE_KEY" takes the value from the environment, unseen by ps',
    )
    asked = parser.add_argument_group("what is asked")
    asked.add_argument("--system", metavar="TEXT", help="system message in front of every prompt")
    asked.add_argument("--max-tokens", type=whole(1), metavar="N", help="most tokens an answer may have")
    asked.add_argument(
        "--temperature", type=number, metavar="T", help="how freely the model chooses (default: the server's)"
    )
    asked.add_argument("--extra-body", metavar="JSON", help="further request fields, such as '{\"top_p\": 0.9}'")
    patience = parser.add_argument_group("patience")
    if retries:
        patience.add_argument("--retries", type=whole(0), default=2, metavar="N", help="per call (default: 2; 0: none)")
    defaults = TimeLimits()
    for flag, seconds, what in (
        ("--timeout", defaults.total_s, "a call in all, from its first attempt on"),
        ("--connect-timeout", defaults.connect_s, "name look-up, TCP and TLS"),
        ("--first-byte-timeout", defaults.first_byte_s, "from the request's last byte to the response's headers"),
        ("--idle-timeout", defaults.idle_s, "silence inside a response"),
    ):
        patience.add_argument(
            flag, type=duration, default=seconds, metavar="DURATION", help=f"{what} (default: {seconds:g}s)"
        )


def endpoint_from(args: argparse.Namespace) -> Endpoint:
    """The endpoint that the flags and the environment name."""
    base_url = args.base_url or os.environ.get("OPENAI_BASE_URL")
    if not base_url and os.environ.get(DEFAULT_KEY_ENV):
        base_url = OPENAI_URL  # who has its key, and names no other, means it
    if not base_url:
        raise UsageError(
            "--base-url",
            "no API is named, and there is no $OPENAI_API_KEY for OpenAI's",
            "--base-url http://127.0.0.1:8600/v1 or OPENAI_BASE_URL; `weir demo` needs neither",
        )
    return Endpoint(normalise_base_url(base_url), _key(args.api_key_env), tuple(map(_header, args.header)))


def limits_from(args: argparse.Namespace) -> TimeLimits:
    """The time-outs."""
    return TimeLimits(args.connect_timeout, args.first_byte_timeout, args.idle_timeout, args.timeout)


def params_from(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of every request's body, besides model and messages."""
    params: dict[str, Any] = {}
    if args.extra_body is not None:
        try:
            extra = json.loads(args.extra_body)
        except (ValueError, RecursionError) as error:
            raise UsageError("--extra-body", f"is not JSON: {error}", "quote it: '{\"top_p\": 0.9}'") from error
        if not isinstance(extra, dict):
            raise UsageError("--extra-body", "must be a JSON object", "quote it: '{\"top_p\": 0.9}'")
        if taken := sorted(_OURS & extra.keys()):
            raise UsageError("--extra-body", f'"{taken[0]}" has a flag of its own', "leave it out")
        params |= extra
    if args.max_tokens is not None:
        params["max_tokens"] = args.max_tokens
    if args.temperature is not None:
        params["temperature"] = args.temperature
    return params


def messages_of(prompt: str, system: str | None) -> tuple[dict[str, Any], ...]:
    """Chat messages of one prompt."""
    asked = {"role": "user", "content": prompt}
    return ({"role": "system", "content": system}, asked) if system is not None else (asked,)


def _key(name: str | None) -> Secret:
    """The API key; an absent default is no error, for local servers want none."""
    value = os.environ.get(name or DEFAULT_KEY_ENV, "")
    if name is not None and not value:
        raise UsageError("--api-key-env", f"${clean_line(name)} is not set", f"export {clean_line(name)}=…")
    return checked_key("--api-key-env", value)


def _header(text: str) -> tuple[str, Secret]:
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon:
        raise UsageError("-H/--header", "expected NAME: VALUE", 'such as -H "x-team: river"')
    if value.startswith("env:"):
        variable = value.removeprefix("env:")
        if variable not in os.environ:
            raise UsageError("-H/--header", f"${clean_line(variable)} is not set", f"export {clean_line(variable)}=…")
        value = os.environ[variable]
    return checked_header("-H/--header", name, value)
