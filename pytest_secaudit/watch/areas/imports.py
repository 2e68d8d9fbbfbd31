"""Where imports come from: the entries of ``sys.path`` and their order, the hooks of ``sys.meta_path`` and ``path_hooks``.

A list that was replaced by an equal one is no change. A hook that came with the first import of its own module (six,
setuptools) is that module's affair. An entry below the rootdir or the temporary folder is named from there: the same on all machines.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable, Sequence
from itertools import islice
from operator import is_
from typing import Any

from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import called, home_of, is_from
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.values import shown, token
from pytest_secaudit.watch.lasting_paths import ROOTDIR, from_the_rootdir
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

PATH = "sys.path"
ORDER = "the order of sys.path"

#: Stands for what is no plain list: it is looked at again each time.
_NO_LIST: Any = object()
_ENTRIES = "<entries>"
_LISTS = ("path", "meta_path", "path_hooks")


class Imports:
    """Watches what decides which file an import finds.

    Args:
        relative: a file name as the report writes it.

    Attributes:
        expected: an entry that pytest may be adding, once more than it is there.
    """

    name = "imports"
    code = "PSA111"

    def __init__(self, taps: Taps, stack: Stack, *, relative: Callable[[str], str] = str) -> None:  # noqa: ARG002
        self.off = ""
        self._relative = relative
        self.expected: str | None = None
        self._sys: dict[str, Any] = vars(sys)
        self._has_looked = False
        #: The lists themselves, if they are plain ones, and what was in them.
        self._path_list = self._finder_list = self._hook_list = _NO_LIST
        self._path: tuple[Any, ...] = ()
        self._finders: tuple[object, ...] = ()
        self._hooks: tuple[object, ...] = ()
        self._both: list[object] = []
        #: What is there instead of a list of entries.
        self._replaced: Hashable = _ENTRIES
        #: Hooks that came with their modules, and how many modules there were at the last look.
        self._silent: tuple[Held, ...] = ()
        self._loaded = 0

    @property
    def stirred(self) -> Sequence[object]:
        return (_NO_LIST in (self._path_list, self._finder_list, self._hook_list),)

    @property
    def slots(self) -> Sequence[tuple[dict[str, Any], str]]:
        return [(self._sys, name) for name in _LISTS if name in self._sys]

    @property
    def sizes(self) -> Sequence[Any]:
        return [one for one in (self._path_list, self._finder_list, self._hook_list) if one is not _NO_LIST]

    def look(self) -> Iterable[Change]:
        """What has grown, shrunk or been replaced; also an entry in the place of another."""
        path, finders, hooks = self._now()
        return () if self._are_as_they_were(path, finders, hooks) else self._compared(path, finders, hooks)

    look_closely = look

    def _now(self) -> list[Any]:
        return [self._sys.get(name) for name in _LISTS]

    def _are_as_they_were(self, path: Any, finders: Any, hooks: Any) -> bool:
        if path is not self._path_list or finders is not self._finder_list or hooks is not self._hook_list:
            return False
        both = [*finders, *hooks]
        same = len(path) == len(self._path) and all(map(is_, path, self._path))
        same = same and len(both) == len(self._both) and all(map(is_, both, self._both))
        if same:
            self._loaded = len(real.modules)
        return same

    def _compared(self, path: Any, finders: Any, hooks: Any) -> list[Change]:
        changes = self._of_the_path(path)
        if self._has_looked:
            changes += self._of_hooks("sys.meta_path", self._finders, _items(finders))
            changes += self._of_hooks("sys.path_hooks", self._hooks, _items(hooks))
        self._finder_list, self._hook_list = _plain_list(finders), _plain_list(hooks)
        self._finders, self._hooks = _items(finders), _items(hooks)
        self._both = [*self._finders, *self._hooks]
        self._loaded = len(real.modules)
        had_looked, self._has_looked = self._has_looked, True
        return changes if had_looked else []

    def _of_hooks(self, subject: str, before: Sequence[object], now: Sequence[object]) -> Iterable[Change]:
        came_along = set(islice(reversed(real.modules), max(0, len(real.modules) - self._loaded)))
        for hook in _without(before, now):
            if not self._is_silent(hook):
                yield _hook(subject, hook, is_there=False)
        for hook in _without(now, before):
            if home_of(hook) in came_along:
                self._silent = (*self._silent, _loose(hook))
            elif not self._is_silent(hook):
                yield _hook(subject, hook, is_there=True)

    def _is_silent(self, hook: object) -> bool:
        return is_from(hook, "_pytest", "pytest_secaudit") or any(held.value is hook for held in self._silent)

    def _of_the_path(self, path: Any) -> list[Change]:
        was, self._replaced = self._replaced, _ENTRIES if issubclass(type(path), (list, tuple)) else token(path)
        before, self._path = self._path, _items(path)
        self._path_list = _plain_list(path)
        if was != self._replaced:
            return [Change(PATH, was, self._replaced)]
        return list(self._of_entries([*map(_entry, before)], [*map(_entry, self._path)]))

    def _of_entries(self, before: Sequence[str], now: Sequence[str]) -> Iterable[Change]:
        was, there = Counter(before), Counter(now)
        for entry in {**was, **there}:
            by_pytest = entry == self.expected and there[entry] == was[entry] + 1
            if was[entry] != there[entry] and not by_pytest:
                subject = clean(f"{PATH}[{self._from_the_rootdir(entry)!r}]")
                yield Change(subject, was[entry], there[entry], key=f"{PATH}[{entry!r}]")
        stayed = {entry for entry in was if was[entry] == there[entry]}
        order_before, order_now = Order(_of(before, stayed)), Order(_of(now, stayed))
        if order_before != order_now:
            yield Change(ORDER, order_before, order_now)

    def _from_the_rootdir(self, entry: str) -> str:
        return from_the_rootdir(entry, self._relative)

    def said(self, change: Change) -> str:
        before, after = change.before, change.after
        if change.subject == ORDER:
            return "changed"
        if change.subject == PATH:
            return "put back" if after == _ENTRIES else f"replaced by {shown(after)}"
        if isinstance(before, int) and isinstance(after, int) and before and after:
            return f"{after} times in it (it was {before})"
        return "removed" if after in (0, ABSENT) else "added"

    def fix(self, change: Change) -> str:
        entry = change.subject.removeprefix(f"{PATH}[").removesuffix("]")
        if entry != change.subject and isinstance(change.after, int) and change.after:
            return f"monkeypatch.syspath_prepend({_expression(entry)})"
        name = "path" if change.subject in (PATH, ORDER) else change.subject.partition("[")[0].removeprefix("sys.")
        return f'monkeypatch.setattr(sys, "{name}", [...])'

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the hooks."""
        self._finders = self._hooks = self._silent = ()
        self._both = []
        self._finder_list = self._hook_list = self._path_list = _NO_LIST


def folder_of_packages(path: str) -> str:
    """The folder that pytest puts on ``sys.path`` to import a file: the first above it that is no package.

    As its documentation of ``--import-mode=prepend`` and ``append`` says; with ``importlib`` it adds none.
    """
    folder = os.path.dirname(path)
    while _is_package(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _is_package(folder: str) -> bool:
    try:
        real.stat(real.join(folder, "__init__.py"))
    except (OSError, ValueError):
        return False
    return True


class Order:
    """The order of some entries: equal to another if those that both have come in the same order."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[Hashable]) -> None:
        self.entries = tuple(entries)

    def __eq__(self, other: object) -> bool:
        if type(other) is not Order:
            return False
        mine, theirs = set(self.entries), set(other.entries)
        return _of(self.entries, theirs) == _of(other.entries, mine)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "Order(...)"


def _of(entries: Iterable[Hashable], wanted: Container[Hashable]) -> list[Hashable]:
    return [entry for entry in entries if entry in wanted]


def _plain_list(found: object) -> Any:
    return found if type(found) is list else _NO_LIST


def _items(found: Any) -> tuple[Any, ...]:
    if issubclass(type(found), list):
        return tuple(list.__iter__(found))
    return tuple(tuple.__iter__(found)) if issubclass(type(found), tuple) else ()


def _expression(entry: str) -> str:
    """What a test writes for an entry, which is quoted."""
    if entry[1:].startswith("<tmp>"):
        return "tmp_path"
    rest = entry[1:-1].removeprefix(ROOTDIR)
    if rest == entry[1:-1]:
        return entry
    return f"pytestconfig.rootpath / {entry[0]}{rest[1:]}{entry[0]}" if rest else "pytestconfig.rootpath"


def _entry(entry: object) -> str:
    return entry if type(entry) is str else f"<{called(entry)}>"


def _without(some: Sequence[object], others: Sequence[object]) -> list[object]:
    """The same objects, not equal ones."""
    ids = set(map(id, others))
    return [one for one in some if id(one) not in ids]


def _loose(hook: object) -> Held:
    held = Held(hook, called(hook))
    held.loosen()
    return held


def _hook(subject: str, hook: object, *, is_there: bool) -> Change:
    name = called(hook).rpartition(" ")[2].rpartition(".")[2]
    held = Held(hook, called(hook))
    before, after = (ABSENT, held) if is_there else (held, ABSENT)
    return Change(clean(f"{subject}[{name}]"), before, after, key=f"{subject}[{name}] {id(hook)}")
