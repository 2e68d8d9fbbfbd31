"""What `tempfile` makes and nobody removes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Site
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watch.writes import Writes

#: So many are asked for whether they are still there.
_MOST = 200
#: Where ``delete`` stands among the arguments of `tempfile.NamedTemporaryFile`.
_DELETE = 7


class TemporaryPaths:
    """Hears of the files and folders that are made in the folder for temporary files.

    Args:
        is_ignored: whether a path is below a folder that pytest itself removes.
    """

    name = "temporary paths"
    code = "PSA602"

    def __init__(self, taps: Taps, stack: Stack, *, is_ignored: Callable[[str], bool]) -> None:
        self.off = ""
        self._is_ignored = is_ignored
        self._there: dict[str, str] = {}
        self._writes = Writes(taps, stack)
        self._writes.listen(tempfile, "mkdtemp", _folder_made)
        self._writes.listen(tempfile, "mkstemp", _file_made)
        self._writes.listen(tempfile, "NamedTemporaryFile", _named_file_made)

    @property
    def stirred(self) -> Sequence[object]:
        return (self._writes.sites,)

    def look(self) -> Iterable[Change]:
        """What was made since the last time and is still there."""
        changes = []
        made: dict[Any, Site | None] = self._writes.taken()
        for (path, kind), site in made.items():
            if len(self._there) < _MOST and not self._is_ignored(path) and real.is_there(path):
                self._there[path] = kind
                changes.append(Change(clean(path), ABSENT, kind, site, path))
        return changes

    def look_closely(self) -> Iterable[Change]:
        """Also what was removed since."""
        gone = [path for path in self._there if not real.is_there(path)]
        changes = [Change(clean(path), self._there.pop(path), ABSENT, None, path) for path in gone]
        return [*changes, *self.look()]

    def said(self, change: Change) -> str:
        return f"behind, a {change.after}"

    def fix(self, change: Change) -> str:  # noqa: ARG002 - the form of an area
        return "tmp_path, or tempfile.TemporaryDirectory() in a with block"

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Forget what there was."""
        self._there.clear()


def _folder_made(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> Hashable | None:
    return _place(result, "folder")


def _file_made(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> Hashable | None:
    return _place(result[1], "file")


def _named_file_made(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> Hashable | None:
    is_deleted = args[_DELETE] if len(args) > _DELETE else kwargs.get("delete", True)
    return None if is_deleted else _place(result.name, "file")


def _place(path: object, kind: str) -> Hashable | None:
    if type(path) is bytes:
        path = os.fsdecode(path)
    return (real.absolute(path), kind) if type(path) is str else None
