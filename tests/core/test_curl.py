"""The request as a command: whatever the prompt, a shell runs curl with these words and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core import curl as curl_module
from tui.core.curl import curl, in_command
from tui.core.untrusted import clean

URL = "https://api.example/v1/chat/completions"
KEY = 'canary "key" $HOME `id` \\ !'
HEADERS = ["Authorization: Bearer " + KEY, "Content-Type: application/json", "Accept: text/event-stream"]

HOSTILE = [
    "It's; touch pwned; echo '",
    "'; touch pwned #",
    "'\"'\"'$(touch pwned)`touch pwned`${IFS}",
    "line\nline\r\n\ttouch pwned\n",
    "!! !touch !$ !-1",
    "\\' \\\\' \\u0027 \\",
    "\x00\x01\x03\x04\x07\x08\x1b[201~\x1b]52;c;aGk=\x07\x15\x16\x7f",
    "\x80\x9b31m\x85\u2028\u2029\u061c\u202e\u2066\ufeff\u200b",
    "é 漢 😀 \U000e0041",
    "*?[a-z]{1,2} ~ & | > pwned < /dev/null",
    "% %s %%",
    "@/etc/passwd",
]


@pytest.fixture
def ran(tmp_path: Path) -> Any:
    """Runs a command with a curl that only tells its words; nothing else may have happened in the folder."""
    fake = tmp_path / "bin" / "curl"
    fake.parent.mkdir()
    fake.write_text(f"#!{sys.executable} -S\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    fake.chmod(0o755)
    folder = tmp_path / "here"
    folder.mkdir()

    def run(command: str, *shell: str) -> list[str]:
        environment = {"PATH": f"{fake.parent}:{os.environ['PATH']}", "OPENAI_API_KEY": KEY, "LC_ALL": "C"}
        done = subprocess.run(
            [*(shell or ("bash", "-c")), command], capture_output=True, env=environment, cwd=folder, check=True
        )
        assert done.stderr == b""
        assert list(folder.iterdir()) == []
        words: list[str] = json.loads(done.stdout)
        return words

    return run


def body_of(prompt: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": prompt}]}, ensure_ascii=False).encode()


def words(body: str, url: str = URL, headers: list[str] = HEADERS) -> list[str]:
    return ["-N", url, *(word for header in headers for word in ("-H", header)), "--data-raw", body]


def test_the_command_is_readable() -> None:
    assert curl(URL, b'{"model":"m"}', ["X-Team"]) == (
        "curl -N 'https://api.example/v1/chat/completions' \\\n"
        '  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        "  -H 'Accept: text/event-stream' \\\n"
        "  -H 'X-Team: ***' \\\n"
        """  --data-raw '{"model":"m"}'"""
    )


@pytest.mark.parametrize("prompt", HOSTILE)
def test_a_hostile_prompt_is_one_word_of_the_command_and_the_same_json(ran: Any, prompt: str) -> None:
    argv = ran(curl(URL, body_of(prompt)))
    assert argv == words(argv[-1])
    assert json.loads(argv[-1]) == json.loads(body_of(prompt))


def test_all_of_them_at_once_in_a_plain_posix_shell(ran: Any) -> None:
    prompt = "".join(HOSTILE)
    argv = ran(curl(URL, body_of(prompt)), "sh", "-c")
    assert json.loads(argv[-1]) == json.loads(body_of(prompt))


def test_a_hostile_prompt_that_is_pasted_into_an_interactive_shell_expands_no_history(ran: Any) -> None:
    command = f"set -o history -H\n: touch pwned\n{curl(URL, body_of(HOSTILE[4]))}\n"
    argv = ran(command, "bash", "--norc", "-c", 'bash --norc -s <<<"$0"')
    assert json.loads(argv[-1]) == json.loads(body_of(HOSTILE[4]))


@pytest.mark.parametrize("prompt", HOSTILE)
def test_the_command_is_printable_ascii_in_as_many_lines_as_it_has_options(prompt: str) -> None:
    command = curl(URL, body_of(prompt))
    assert command.replace("\n", "").isascii()
    assert command.replace("\n", "").isprintable()
    assert clean(command) == command
    assert len(command.split("\n")) == 5
    assert all(line.endswith(" \\") for line in command.split("\n")[:-1])


def test_numbers_and_order_of_the_body_stay_as_they_were_sent(ran: Any) -> None:
    body = '{"b":1.0,"a":1e400,"seed":123456789012345678901234567890,"n":-0.0}'
    assert ran(curl(URL, body.encode())) == words(body)


def test_a_body_of_several_lines_becomes_one(ran: Any) -> None:
    body = json.dumps({"a": ["x\ny", {"b": "\t"}]}, indent="\t")
    argv = ran(curl(URL, body.replace("\n", "\r\n").encode()))
    assert json.loads(argv[-1]) == json.loads(body)
    assert "\n" not in argv[-1]


def test_the_users_headers_are_there_by_name_only(ran: Any) -> None:
    names = ["X-Team", "X-It's", "x$(touch pwned)", "x\r\ny\x1b[31m\u202e漢"]
    argv = ran(curl(URL, b"{}", names))
    shown = ["X-Team: ***", "X-It's: ***", "x$(touch pwned): ***", "x? y?[31m??: ***"]
    assert argv == words("{}", headers=[*HEADERS, *shown])


def test_a_users_header_stands_in_the_place_of_ours(ran: Any) -> None:
    argv = ran(curl(URL, b"{}", ["authorization"]))
    assert argv == words("{}", headers=[*HEADERS[1:], "authorization: ***"])


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h/it's;$(touch pwned)/v1", "http://h/it%27s;$(touch%20pwned)/v1"),
        ("http://h/\u202e漢", "http://h/%E2%80%AE%E6%BC%A2"),
        ("http://h/a%20b", "http://h/a%20b"),
    ],
)
def test_an_address_is_one_word_too(ran: Any, url: str, shown: str) -> None:
    assert ran(curl(url, b"{}")) == words("{}", url=shown)


def test_curl_is_told_that_brackets_are_no_list_of_addresses(ran: Any) -> None:
    argv = ran(curl("http://[::1]:8000/v1", b"{}"))
    assert argv[:3] == ["-N", "-g", "http://[::1]:8000/v1"]


def char_by_char(body: str) -> str:
    """What the body becomes, said the slow way."""
    shown = ""
    for char in body:
        plain = " " <= char <= "~" and char != "'"
        units = char.encode("utf-16-be")
        shown += char if plain else "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
    return shown


BODIES = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"])) | st.text("\\\"'nu0\x7f漢😀"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("\\\"'aé", max_size=4), inner, max_size=3),
)


@given(BODIES)
def test_every_character_of_a_body_stands_as_itself_or_as_one_escape(value: Any) -> None:
    body = json.dumps(value, ensure_ascii=False)
    command = curl(URL, body.encode())
    assert command.endswith(f"--data-raw '{char_by_char(body)}'")
    assert json.loads(char_by_char(body)) == value


@pytest.mark.parametrize("slice_chars", range(1, 8))
def test_where_a_long_body_is_sliced_cannot_be_seen(monkeypatch: pytest.MonkeyPatch, slice_chars: int) -> None:
    bodies = [body_of(prompt) for prompt in HOSTILE]
    whole = [curl(URL, body) for body in bodies]
    monkeypatch.setattr(curl_module, "_SLICE_CHARS", slice_chars)
    assert [curl(URL, body) for body in bodies] == whole


@pytest.mark.parametrize("prompt", HOSTILE)
def test_a_text_can_be_found_in_the_command_as_it_stands_there(prompt: str) -> None:
    assert in_command(prompt) in curl(URL, body_of(f"before {prompt} after"))
