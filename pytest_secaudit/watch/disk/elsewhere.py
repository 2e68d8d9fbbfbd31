"""What tests make, change or remove outside the project: in the folders of shared fixtures, at home, among temporary files.

A folder that a wide fixture made belongs to all its tests, so what one of them leaves there meets the next. The home
folder and the one for temporary files are also other programs': only their own entries are looked at, and only what the
owner's code names is told.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import home_of_class
from pytest_secaudit.watch import real
from pytest_secaudit.watch.disk.listing import File, differences, listing, open_inodes
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

#: A folder with more in it is not looked at: one of a fixture with its folders, a public one without.
_MOST = 500
_MOST_IN_PUBLIC = 5_000
_PUBLIC, _SHARED = "public:", "shared:"
#: It was there when we came; no more is known of it.
_THERE = File(is_folder=False, written_ns=0, size=0, inode=0)
#: Below it pytest makes a folder for each test.
_BASE = re.compile(r"[\\/]pytest-of-[^\\/]+(?:[\\/]pytest-(?:\d+|current))?[\\/]?$")
_expanduser = real.own(os.path.expanduser)
_realpath = real.own(os.path.realpath)


@dataclass(slots=True)
class _Tree:
    """A folder, and what was in it.

    Attributes:
        name: what a finding calls it: ``~``, ``/tmp``, a fixture's name.
        is_public: other programs write there, too.
    """

    name: str
    folder: str
    is_public: bool
    seen: dict[str, File]
    written_ns: int = 0


class Elsewhere:
    """Watches these folders.

    Args:
        root: the rootdir, which is watched by others.
    """

    name = "files elsewhere"
    code = "PSA605"

    def __init__(self, taps: Taps, stack: Stack, *, root: str) -> None:  # noqa: ARG002 - the form of an area
        self.off = ""
        self._root = root
        named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
        #: `tempfile.gettempdir` is not asked: it would decide it, once for the whole run.
        self._temporary = next(filter(None, named), "/tmp").rstrip("\\/")
        self._trees: dict[Hashable, _Tree] = {}
        self._too_large: dict[str, None] = {}

    #: Nothing wakes it.
    stirred = ()

    def look(self) -> Iterable[Change]:
        """Never between two stages."""
        return ()

    def begin(self) -> None:
        """The test modules are imported: what is there now is nobody's."""
        home, temporary = _expanduser("~"), self._temporary
        for folder, name in ((home, "~"), (temporary, temporary)):
            if _realpath(folder) != _realpath(self._root):
                self._add(folder, _Tree(name, folder, is_public=True, seen={}))

    def begin_folder(self, key: Hashable, name: str, path: object) -> None:
        """A fixture stands; if its value is a folder, what is in it now is the fixture's.

        Args:
            key: tells its set-ups apart.
            name: of the fixture.
            path: its value, whatever it is.
        """
        folder = _as_folder(path)
        is_known = any(one.folder == folder for one in self._trees.values())
        if folder and not is_known and _is_within(folder, self._temporary) and not _BASE.search(folder):
            self._add(key, _Tree(name, folder, is_public=False, seen={}))

    def has(self, key: Hashable) -> bool:
        """Whether the value of that fixture is looked into."""
        return key in self._trees

    def end_folder(self, key: Hashable) -> None:
        """Its clean-up begins."""
        self._trees.pop(key, None)

    @property
    def remark(self) -> str:
        """What the report says of it."""
        return f"not {', '.join(self._too_large)}: too large" if self._too_large else ""

    def _add(self, key: Hashable, tree: _Tree) -> None:
        seen = _contents(tree)
        if seen is None:
            self._too_large[tree.name] = None
            return
        tree.seen = seen
        self._trees[key] = tree

    # --- looking

    def look_late(self) -> list[tuple[int, Change]]:
        """What is different, and when (in nanoseconds) that was done."""
        return sorted(
            (one for tree in self._trees.values() for one in _changes(tree)),
            key=lambda one: one[0],
        )

    # --- telling

    def said(self, change: Change) -> str:
        whose = " of a shared fixture" if not _is_public(change) else ""
        if change.before == ABSENT:
            return f"behind, a {change.after}{f' in the folder{whose}' if whose else ''}"
        return f"{'removed' if change.after == ABSENT else 'changed'}{f', a file{whose}' if whose else ''}"

    def level(self, change: Change) -> str:
        """That tests write into a folder that was made to be shared is often meant."""
        return "info" if not _is_public(change) and change.before == ABSENT else ""

    def fix(self, change: Change) -> str:
        return "write below tmp_path" if change.before == ABSENT else "work on a copy below tmp_path"

    def is_lasting(self, change: Change) -> bool:
        """Other programs, too, write to a public folder: what the owner's code does not name is not told."""
        return not _is_public(change) or change.site is not None

    def writing_lines(self, text: str, first: int, change: Change) -> set[int]:
        """The lines that name the file."""
        from pytest_secaudit.watch.writing_lines import lines_with  # loaded with the first claim

        return lines_with(text, first, change.subject.rpartition("/")[2])

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Forget what was there."""
        self._trees.clear()


def _is_public(change: Change) -> bool:
    return change.key.startswith(_PUBLIC)


def _changes(tree: _Tree) -> Iterator[tuple[int, Change]]:
    now = _contents(tree)
    if now is None or now is tree.seen:
        return
    before, tree.seen = tree.seen, now
    for when, path, old, new in differences(before, now, open_inodes()):
        if not tree.is_public or ABSENT in (old, new):
            subject = f"{tree.name}/{path}".replace(os.sep, "/")
            key = f"{_PUBLIC if tree.is_public else _SHARED}{subject}"
            yield when or tree.written_ns, Change(clean(subject), old, new, key=key)


def _contents(tree: _Tree) -> dict[str, File] | None:
    """What is in it; the very same values where nothing can have changed; None if that is too much."""
    try:
        written_ns = real.stat(tree.folder).st_mtime_ns
    except OSError:
        return {}
    if tree.is_public and written_ns == tree.written_ns:
        return tree.seen
    tree.written_ns = written_ns
    if tree.is_public:
        return _entries(tree)
    found, is_all = listing(tree.folder, lambda _: False, most=_MOST)
    return found if is_all else None


def _entries(tree: _Tree) -> dict[str, File] | None:
    """Of a public folder the names are enough, and of what is new what it is."""
    names = [name for name in real.listdir(tree.folder) if not name.startswith("pytest-of-")]
    if len(names) > _MOST_IN_PUBLIC:
        return None
    if not tree.seen:
        return dict.fromkeys(names, _THERE)
    return {name: tree.seen.get(name) or _file(real.join(tree.folder, name)) for name in names}


def _file(path: str) -> File:
    try:
        found = real.stat(path)
    except OSError:  # gone meanwhile, or a link to nowhere
        return _THERE
    return File(stat.S_ISDIR(found.st_mode), found.st_mtime_ns, found.st_size, found.st_ino)


def _as_folder(value: object) -> str:
    """The path of a folder, if a fixture's value says so: text, or a path of `pathlib` or `py`."""
    path: Any = value
    try:
        if home_of_class(type(path)).partition(".")[0] in ("pathlib", "py", "_pytest"):
            path = real.fspath(path)
        return path if type(path) is str and real.isabs(path) and _is_folder(path) else ""
    except (OSError, TypeError, ValueError):
        return ""


def _is_folder(path: str) -> bool:
    return stat.S_ISDIR(real.stat(path).st_mode)


def _is_within(folder: str, root: str) -> bool:
    """Whether it lies below the other one, links or no links."""
    outer = real.normcase(root + real.separator), real.normcase(_realpath(root) + real.separator)
    return real.normcase(folder).startswith(outer)
