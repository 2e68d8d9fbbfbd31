"""What files there are below a folder, when each was last written, and how two such lists differ."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pytest_secaudit.lean import lean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.state import ABSENT

#: In a tree with more than so many nobody looks.
MOST: Final = 20_000

_FOLDERS: Final = frozenset(
    "__pycache__ build dist env htmlcov node_modules site-packages venv virtualenv test-results test-reports".split()
)
_FILES: Final = ("coverage.", "junit", "nohup.out", "pytest.log")
_ENDS: Final = (".egg-info", ".pyc", ".pyo", "~", ".swp", ".lock", ".dist-info", ".log", ".out")

_MOST_OPEN = 100
_scandir = real.own(os.scandir)
_fstat = real.own(os.fstat)
_getppid = real.own(os.getppid)


@lean
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


def listing(root: str, is_ignored: Callable[[str], bool], *, most: int | None = None) -> tuple[dict[str, File], bool]:
    """The files and folders below a folder by their paths from there, and whether these are all.

    What begins with a dot is left out, and what tools make beside tests: reports, caches, what was built.

    Args:
        root: the folder.
        is_ignored: whether a path (absolute) is not to be looked at.
        most: so many are enough.
    """
    found: dict[str, File] = {}
    folders = [root]
    start = len(root.rstrip("\\/")) + 1
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
            found[entry.path[start:]] = File(is_folder, stat.st_mtime_ns, 0 if is_folder else stat.st_size, stat.st_ino)
            if is_folder:
                folders.append(entry.path)
        if len(found) > (MOST if most is None else most):
            return found, False
    return found, True


def differences(
    before: Mapping[str, File], now: Mapping[str, File], writing: Collection[int]
) -> Iterator[tuple[int, str, Hashable, Hashable]]:
    """What was made, changed or removed: when (in nanoseconds; 0 if nothing tells), its path, what it was, what it is.

    Args:
        before: a list of a folder.
        now: a later one.
        writing: the inodes of files that are being written, which are not told as changed.
    """
    for path, file in now.items():
        then = before.get(path)
        if then is None:
            if _folder(path) in before or not _folder(path):  # of a new folder only itself is named
                yield file.written_ns, path, ABSENT, _kind(file)
        elif not file.is_folder and file != then and file.inode not in writing:
            yield file.written_ns, path, _state(then), _state(file)
    for path, file in before.items():
        if path not in now and (_folder(path) in now or not _folder(path)):
            folder = now.get(_folder(path))
            yield (folder.written_ns if folder else 0), path, _kind(file), ABSENT


def open_inodes() -> frozenset[int]:
    """Of what this process has open, and the one that started it: their output may go to a file of the project."""
    found = set()
    for number in range(_MOST_OPEN):
        with contextlib.suppress(OSError):
            found.add(_fstat(number).st_ino)
    with contextlib.suppress(OSError):  # Linux only
        folder = f"/proc/{_getppid()}/fd"
        for name in real.listdir(folder):
            with contextlib.suppress(OSError):
                found.add(real.stat(f"{folder}/{name}").st_ino)
    return frozenset(found)


def _folder(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[0]


def _kind(file: File) -> Hashable:
    return "folder" if file.is_folder else "file"


def _state(file: File) -> Hashable:
    return file.written_ns, file.size


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
