"""What files there are below a folder, and when each was last written; without those that tools keep for themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pytest_secaudit.watch import real

#: In a tree with more than so many nobody looks.
MOST: Final = 20_000

_FOLDERS: Final = frozenset(
    "__pycache__ build dist env htmlcov node_modules site-packages venv virtualenv test-results test-reports".split()
)
_FILES: Final = ("coverage.", "junit", "nohup.out", "pytest.log")
_ENDS: Final = (".egg-info", ".pyc", ".pyo", "~", ".swp", ".lock", ".dist-info", ".log", ".out")

_scandir = real.own(os.scandir)


@dataclass(frozen=True, slots=True)
class File:
    """A file or folder.

    Attributes:
        is_folder: whether it is one.
        written_ns: when it was last written, in nanoseconds.
        size: of a file, in bytes.
        inode: its number, by which a file that is open is known.
    """

    is_folder: bool
    written_ns: int
    size: int
    inode: int


def listing(root: str, is_ignored: Callable[[str], bool]) -> tuple[dict[str, File], bool]:
    """The files and folders below a folder by their paths from there, and whether these are all.

    What begins with a dot is left out, and what tools make beside tests: reports, caches, what was built.

    Args:
        root: the folder.
        is_ignored: whether a path (absolute) is not to be looked at.
    """
    found: dict[str, File] = {}
    folders = [root]
    for folder in folders:  # it grows meanwhile
        for entry in _entries(folder):
            if _is_kept_by_tools(entry.name) or is_ignored(entry.path):
                continue
            try:
                stat = entry.stat(follow_symlinks=False)
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:  # gone meanwhile
                continue
            if is_folder and _is_environment(entry.path):
                continue
            found[entry.path[len(root) + 1 :]] = File(
                is_folder, stat.st_mtime_ns, 0 if is_folder else stat.st_size, stat.st_ino
            )
            if is_folder:
                folders.append(entry.path)
        if len(found) > MOST:
            return found, False
    return found, True


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with _scandir(folder) as entries:
            yield from entries
    except OSError:
        return


def _is_kept_by_tools(name: str) -> bool:
    return name.startswith((".", *_FILES)) or name in _FOLDERS or name.endswith(_ENDS)


def _is_environment(folder: str) -> bool:
    try:
        real.stat(real.join(folder, "pyvenv.cfg"))
    except OSError:
        return False
    return True
