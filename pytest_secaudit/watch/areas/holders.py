"""Which descriptors the project and its tests hold on to: reachable from their namespaces through their own objects.

From the namespaces of the modules under the rootdir the way goes through plain containers, the project's own classes,
functions and instances, and what wraps a file or socket. It does not go through a library's objects: what a connection
pool or a logging handler keeps open is theirs. Garbage that only a collection would find is not reached at all.
"""

from __future__ import annotations

import collections
import functools
import gc
import io
import types
from collections.abc import Callable, Iterator
from typing import Any

from pytest_secaudit.strangers import bases_of, home_of, home_of_class
from pytest_secaudit.watch import real

_CONTAINERS = frozenset(
    (
        dict,
        list,
        tuple,
        set,
        frozenset,
        collections.OrderedDict,
        collections.defaultdict,
        collections.deque,
        functools.partial,
        types.CellType,
        types.MappingProxyType,
        types.MethodType,
    )
)
#: Modules of the standard library whose objects only wrap what is looked for, or hold it for their owner.
_WRAPPERS = frozenset(("_io", "contextlib", "gzip", "io", "socket", "ssl", "tempfile"))
_MAX_OBJECTS = 300_000
_SECONDS_IN_ALL = 1.0

_fileno: Callable[[Any], int] = io.FileIO.fileno


class Holders:
    """Looks for them, as long as its time lasts.

    Args:
        is_project: whether a module's file is under the rootdir.
    """

    def __init__(self, is_project: Callable[[types.ModuleType], bool]) -> None:
        self._is_project = is_project
        self._left = _SECONDS_IN_ALL

    def of_the_project(self) -> frozenset[int]:
        """The descriptors that the project's or the tests' own objects hold."""
        return self._timed(lambda: self._descriptors(self._reachable()))

    def of_anybody(self) -> frozenset[int] | None:
        """Those that any Python object holds; None when there is no time left to look."""
        return self._timed(lambda: self._descriptors(iter(gc.get_objects()))) if self._left > 0 else None

    def _timed(self, find: Callable[[], frozenset[int]]) -> frozenset[int]:
        if self._left <= 0:
            return frozenset()
        began = real.perf_counter()
        found = find()
        self._left -= real.perf_counter() - began
        return found

    def _reachable(self) -> Iterator[object]:
        modules = [module for module in list(real.modules.values()) if type(module) is types.ModuleType]
        ours = [module for module in modules if self._is_project(module)]
        homes = frozenset(module.__name__ for module in ours)
        pending: list[object] = [vars(module) for module in ours]
        seen: set[int] = set()
        while pending and len(seen) < _MAX_OBJECTS:
            found = pending.pop()
            if id(found) in seen:
                continue
            seen.add(id(found))
            yield found
            if _leads_on(found, homes):
                pending += gc.get_referents(found)

    def _descriptors(self, objects: Iterator[object]) -> frozenset[int]:
        sockets = getattr(real.modules.get("_socket"), "socket", io.FileIO)
        numbers = set()
        for found in objects:
            kind = type(found)
            if kind is io.FileIO:
                ask = _fileno
            elif sockets in bases_of(kind):
                ask = sockets.fileno
            else:
                continue
            try:
                numbers.add(ask(found))
            except (OSError, ValueError):  # closed
                continue
        return frozenset(numbers)


def _leads_on(found: object, homes: frozenset[str]) -> bool:
    kind = type(found)
    if kind in _CONTAINERS:
        return True
    if kind is types.FunctionType or issubclass(kind, type):
        return home_of(found) in homes
    home = home_of_class(kind)
    return home in homes or home in _WRAPPERS
