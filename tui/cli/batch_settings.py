"""What a batch was asked for, as its record keeps it, so that it can go on with no more than its name. Reads no corpus.

Of a flag that is given again the new value counts; every other one stays as it was. Texts that flags name a file for
are kept themselves: a run that goes on must ask what it asked before, whatever became of the file. Secrets are not
kept: of a header only what names its value's place in the environment.
"""

import argparse
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tui.cli.parsing import Parser
from tui.core.errors import UsageError
from tui.core.secrets import SHORTEST, Secret
from tui.core.untrusted import clean_line

SETTINGS = (
    "documents", "glob", "field", "id_field", "prompt", "reduce_prompt", "max_input_tokens", "long", "json", "schema",
    "no_response_format", "base_url", "model", "api_key_env", "header", "system", "max_tokens", "temperature",
    "extra_body", "retries", "timeout", "connect_timeout", "first_byte_timeout", "idle_timeout",
    "concurrency", "rpm", "tpm", "burst", "adapt", "price", "budget", "goodput", "out",
)  # fmt: skip
"""By their names in the parsed arguments."""
_OF_THE_QUESTION = (
    "documents", "glob", "field", "id_field", "prompt", "reduce_prompt", "max_input_tokens", "long", "json", "schema",
    "no_response_format", "base_url", "model", "system", "max_tokens", "temperature", "extra_body", "cwd",
)  # fmt: skip
"""Two runs for which all of this is equal are the same command."""
_TEXTS = ("prompt", "reduce_prompt", "system", "extra_body", "schema")
"""Settings that are sent."""


def forget_defaults(parser: Parser) -> dict[str, Any]:
    """Make every setting that is not given None, and return what it is then to be: else nobody could tell the two."""
    defaults = {name: parser.get_default(name) for name in SETTINGS}
    parser.set_defaults(**dict.fromkeys(SETTINGS))
    return defaults


def settle(args: argparse.Namespace, stored: Mapping[str, Any] | None, defaults: Mapping[str, Any]) -> None:
    """Fill in what was not given: from the run that goes on, if there is one, else with the defaults."""
    for name in SETTINGS:
        value = getattr(args, name)
        if value is not None and value != []:
            continue
        earlier = None if stored is None else stored.get(name)
        setattr(args, name, defaults[name] if earlier is None else earlier)
    if stored is not None:
        given = {_name_of(header) for header in args.header}
        args.header += [header for header in stored.get("header") or () if _name_of(header) not in given]
    args.out = None if args.out is None else Path(args.out)


def read_texts(args: argparse.Namespace) -> None:
    """Replace the names of files by what is in them; UsageError that names the file."""
    if args.schema is not None:
        from tui.files.answer_schema import load_schema

        args.schema = load_schema(Path(args.schema)).schema
    if args.prompt_file is None:
        return
    if args.prompt is not None:
        raise UsageError("--prompt-file", "cannot be used with --prompt", "use one of them")
    where = clean_line(str(args.prompt_file))
    try:
        args.prompt = args.prompt_file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError("--prompt-file", f"{where} cannot be read: {reason}", "name a text file") from error


def kept(args: argparse.Namespace) -> dict[str, Any]:
    """The settings as plain values, for the record."""
    settings = {name: getattr(args, name) for name in SETTINGS}
    settings["header"] = [_kept_header(header) for header in args.header]
    settings["out"] = None if args.out is None else str(Path(args.out).absolute())
    settings["cwd"] = str(Path.cwd())
    return settings


def same_question(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two commands ask the same about the same documents."""
    return all(_plain(a.get(name)) == _plain(b.get(name)) for name in _OF_THE_QUESTION)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def _name_of(header: str) -> str:
    return header.partition(":")[0].strip().lower()


def _kept_header(header: str) -> str:
    name, _, value = (part.strip() for part in header.partition(":"))
    return f"{name}: {value}" if value.startswith("env:") else f"{name}:"


def check_no_secret(settings: Mapping[str, Any], secrets: Iterable[Secret]) -> None:
    """UsageError for a text that holds one of the run's own secrets: it would be kept."""
    keys = [key for secret in secrets if len(key := secret.reveal()) >= SHORTEST]
    for name in _TEXTS:
        if any(key in json.dumps(settings[name], ensure_ascii=False) for key in keys):
            raise UsageError(
                f"--{name.replace('_', '-')}",
                "holds the API key or a secret header, and is kept in the run's record",
                "leave it out: it goes into the request's headers",
            )


def check_headers(args: argparse.Namespace) -> None:
    """UsageError for a header whose value was not kept and must be given again."""
    for header in args.header:
        name, _, value = (part.strip() for part in header.partition(":"))
        if not value:
            raise UsageError(
                "-H/--header",
                f'the value of "{clean_line(name)}" is not kept in a run\'s record',
                f'give it again: -H "{clean_line(name)}: …", or from the environment: "{clean_line(name)}: env:NAME"',
            )
