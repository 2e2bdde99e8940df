"""A run's folder and files are the owner's alone, from the moment they exist."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest

from tui.core.errors import RecordError, UsageError
from tui.files.run_folder import create_run_folder, file_name, open_private, write_private_atomic

NOW = datetime(2026, 11, 22, 15, 40, 12)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """A umask that takes nothing away: modes must come from the calls themselves."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_a_run_gets_a_folder_of_its_own_named_after_date_job_and_model(tmp_path: Path) -> None:
    folder = create_run_folder(tmp_path / "weir-runs", "load", "gpt-4o", NOW)
    assert folder == tmp_path / "weir-runs" / "2026-11-22T15-40-12-load-gpt-4o"
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


def test_runs_of_the_same_second_get_numbers(tmp_path: Path) -> None:
    names = [create_run_folder(tmp_path, "load", "m", NOW).name for _ in range(3)]
    assert names == [f"2026-11-22T15-40-12-load-m{suffix}" for suffix in ("", "-2", "-3")]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o", "gpt-4o"),
        ("meta-llama/Llama-3.3:free", "meta-llama-Llama-3.3-free"),
        ("../../etc/passwd", "etc-passwd"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\0b", "a-b"),
        ("a\x1b[31m\u202eb\n", "a-31m-b"),
        ("C:\\con", "C-con"),
        ("漢字", "unnamed"),
        ("x" * 5000, "x" * 60),
        ("x" * 59 + "./y", "x" * 59),
    ],
)
def test_a_hostile_model_name_is_only_ever_a_part_of_a_file_name(tmp_path: Path, model: str, name: str) -> None:
    assert file_name(model) == name
    assert create_run_folder(tmp_path, "load", model, NOW).parent == tmp_path


def test_a_place_where_no_folder_can_be_made_names_the_flag(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for parent in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError) as raised:
            create_run_folder(parent, "load", "m", NOW)
        assert raised.value.where == "--out"
        assert "cannot make a folder in" in raised.value.what


def test_a_link_in_the_folders_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "2026-11-22T15-40-12-load-m").symlink_to(tmp_path / "elsewhere")
    assert create_run_folder(tmp_path, "load", "m", NOW).name.endswith("-2")


@pytest.mark.usefixtures("open_umask")
def test_a_private_file_is_its_owners_and_new(tmp_path: Path) -> None:
    with open_private(tmp_path / "new") as file:
        file.write(b"x")
    assert mode(tmp_path / "new") == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for taken in ("new", "link"):
        with pytest.raises(FileExistsError):
            open_private(tmp_path / taken)
    assert not (tmp_path / "target").exists()


@pytest.mark.usefixtures("open_umask")
def test_an_atomic_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_bytes(b"before")
    path.chmod(0o644)
    write_private_atomic(path, iter([b"af", b"ter"]))
    assert (path.read_bytes(), mode(path)) == (b"after", 0o600)
    assert os.listdir(tmp_path) == ["summary.json"]


def test_a_write_that_fails_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b"before")

    def lines() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(RecordError, match="No space left on device"):
        write_private_atomic(path, lines())
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["calls.jsonl"]


def test_a_link_in_an_atomic_writes_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_private_atomic(tmp_path / "link", b"ours")
    assert (tmp_path / "target").read_bytes() == b"theirs"


def test_a_folder_that_has_gone_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="No such file"):
        write_private_atomic(tmp_path / "gone" / "file", b"")


def test_it_works_without_the_flags_that_windows_does_not_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY"):
        monkeypatch.delattr(os, name)
    open_file, opened = os.open, list[Path]()

    def no_folders(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied")
        opened.append(path)
        return open_file(path, flags, mode)

    def only_closed_files(source: Path, target: Path) -> None:
        assert not any(os.path.samestat(os.fstat(handle), os.stat(source)) for handle in open_handles())
        os.rename(source, target)

    monkeypatch.setattr(os, "open", no_folders)
    monkeypatch.setattr(os, "replace", only_closed_files)
    write_private_atomic(tmp_path / "a.json", b"{}")
    assert (tmp_path / "a.json").read_bytes() == b"{}"
    assert len(opened) == 1
    open_private(tmp_path / "new").close()


def open_handles() -> Iterator[int]:
    for handle in range(256):
        with suppress(OSError):
            os.fstat(handle)
            yield handle
