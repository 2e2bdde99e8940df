"""How many documents a corpus has, told while its first ones are asked about. Reads rows, and of files only names."""

import os
from contextlib import closing

from tui.files.corpus import STDIN, CorpusPlan, has_rows, rows_of
from tui.files.corpus_folders import chooser, walk
from tui.files.corpus_text import UnreadableError, open_regular


def count_documents(plan: CorpusPlan) -> int | None:
    """As many as corpus_documents.py will find, if nothing changes; None when they come from stdin."""
    if STDIN in plan.inputs:
        return None
    chosen = chooser(plan.globs)
    total = 0
    for path in plan.inputs:
        if os.path.isdir(path):
            for walked in walk(path, chosen):
                total += 1 if walked.error is not None else _in_file(walked.path)
        else:
            total += _in_file(path)
    return total


def _in_file(path: str) -> int:
    if not has_rows(path):
        return 1
    try:
        with closing(open_regular(path)) as file:
            return sum(1 for _ in rows_of(path, file))
    except UnreadableError:
        return 1  # a document with an error
