"""The files below a folder that globs choose, one directory in memory at a time. Opens no file.

In sorted order, so that the same folder is the same corpus again. Hidden files and folders are left out, and so are
links to folders: they could lead back to where they are, and what they lead to has a path of its own.
"""

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from tui.core.errors import UsageError
from tui.core.untrusted import clean_line
from tui.files.corpus_text import reason

_ANY_FOLDERS = "**"


class Walked(msgspec.Struct, frozen=True):
    """A file that was chosen, or a folder that could not be read."""

    path: str
    error: str | None = None


Chooser = Callable[[Sequence[str]], bool]
"""Whether a file is chosen, by the parts of its path below the folder."""


def chooser(globs: Sequence[str]) -> Chooser:
    """What chooses the files that any of `globs` matches; UsageError for a glob that can match nothing.

    `*` and `?` stay within a name, `**` stands for any number of folders; upper and lower case differ.
    """
    patterns = [_pattern(glob) for glob in globs]

    def chosen(parts: Sequence[str]) -> bool:
        return any(_matches(pattern, parts) for pattern in patterns)

    return chosen


def walk(folder: str, chosen: Chooser) -> Iterator[Walked]:
    """Every chosen file below `folder`, and every folder there that cannot be read. Never raises."""
    prefix = "" if folder == os.curdir else folder
    pending: list[Iterator[tuple[str, ...] | Walked]] = [_entries(prefix, (), chosen)]
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
        elif isinstance(entry, Walked):
            yield entry
        else:
            pending.append(_entries(prefix, entry, chosen))


def _entries(prefix: str, parts: tuple[str, ...], chosen: Chooser) -> Iterator[tuple[str, ...] | Walked]:
    """The chosen files of one folder, and the parts of the path of each folder in it, in order."""
    path = os.path.join(prefix, *parts)
    found = list[tuple[str, bool]]()
    try:
        with os.scandir(path or os.curdir) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.name, True))
                elif _is_document(entry) and chosen((*parts, entry.name)):
                    found.append((entry.name, False))
    except OSError as error:
        yield Walked(path or os.curdir, reason(error))
        return
    found.sort()
    for name, is_folder in found:
        yield (*parts, name) if is_folder else Walked(os.path.join(path, name))


def _is_document(entry: "os.DirEntry[str]") -> bool:
    # A link to nowhere is one too: what cannot be read is reported and not passed over.
    try:
        return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))
    except OSError:  # a link to itself
        return True


_Pattern = tuple[re.Pattern[str] | None, ...]
"""A glob, name by name; None: any number of folders."""


def _pattern(glob: str) -> _Pattern:
    names = [name for name in glob.split("/") if name != "."]
    if not glob or glob.startswith("/") or ".." in names:
        raise UsageError("--glob", f'"{clean_line(glob)}" leads out of the folder', "write it like **/*.md")
    if names[-1] in ("", _ANY_FOLDERS):
        names = [*names[:-1], _ANY_FOLDERS, "*"]
    pattern = list[re.Pattern[str] | None]()
    for name in names:
        if name != _ANY_FOLDERS:
            pattern.append(re.compile(fnmatch.translate(name)))
        elif not pattern or pattern[-1] is not None:
            pattern.append(None)
    return tuple(pattern)


def _matches(pattern: _Pattern, parts: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first is None:
        return any(_matches(rest, parts[skipped:]) for skipped in range(len(parts) + 1))
    return bool(parts) and first.match(parts[0]) is not None and _matches(rest, parts[1:])
