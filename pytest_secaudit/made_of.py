"""What a stranger's rule is made of, so that what an older one said is not taken for its answer.

The rule's function, and whatever of the same people's it comes to by name: functions, classes and modules with the
contents of their files, constants with their values. What a rule reads while it runs is not among them; it should read
nothing but the module that it is given.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from pytest_secaudit.strangers import bases_of, home_of, home_of_class, is_class, is_module, names_of

_PLAIN = (str, bytes, int, float, complex, bool, type(None))
_HOLDERS = (tuple, list, set, frozenset)
_INSTALLED = frozenset(("site-packages", "dist-packages"))


def made_of(rule: Callable[..., object]) -> tuple[str, ...]:
    """Hashes of files and plain values, sorted; equal in every process."""
    return tuple(sorted(_Walk(rule).marks))


class _Walk:
    """From the rule to everything that it names, each thing once."""

    def __init__(self, rule: Callable[..., object]) -> None:
        self.marks: set[str] = set()
        self._home = _top(home_of(rule))
        self._files: dict[str, str] = {}
        seen: dict[int, object] = {}  # kept, so that no id is used again meanwhile
        waiting: list[object] = [rule]
        while waiting:
            thing = waiting.pop()
            if id(thing) not in seen:
                seen[id(thing)] = thing
                waiting.extend(self._next(thing))

    def _next(self, thing: object) -> Iterator[object]:
        """Marks the thing and yields what it comes to."""
        kind = type(thing)
        if kind in _PLAIN:
            self.marks.add(f"{kind.__name__} {thing!r}")
        elif kind in _HOLDERS:
            yield from thing  # type: ignore[misc]
        elif kind is dict:
            yield from (*thing, *thing.values())  # type: ignore[misc, attr-defined]
        elif kind is functools.partial:
            yield from (thing.func, *thing.args, thing.keywords)  # type: ignore[attr-defined]
        elif kind is types.MethodType:
            yield from (thing.__func__, thing.__self__)  # type: ignore[attr-defined]
        elif kind in (staticmethod, classmethod):
            yield thing.__func__  # type: ignore[attr-defined]
        elif kind is property:
            yield thing.fget  # type: ignore[attr-defined]
        elif kind is types.FunctionType:
            yield from self._function(thing)  # type: ignore[arg-type]
        elif is_module(thing):
            if not _is_known(names_of(thing).get("__name__")):
                self._file(_file_of(thing))
        elif is_class(thing):
            yield from self._class(thing)
        else:
            yield from (kind, names_of(thing).get("__wrapped__"))  # the latter of functools.cache and its like

    def _function(self, function: types.FunctionType) -> Iterator[object]:
        code = function.__code__
        if not self._is_theirs(function.__module__, code.co_filename):
            return
        if not self._file(code.co_filename):  # made by exec, or in a zip file
            yield from (code.co_code, *(one for one in code.co_consts if type(one) is not types.CodeType))
        yield from (function.__defaults__, function.__kwdefaults__, getattr(function, "__wrapped__", None))
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not bound yet
                continue
        spaces: list[Mapping[str, object]] = [function.__globals__]
        for name in _names(code):
            for space in tuple(spaces):
                if name in space:
                    found = space[name]
                    yield found
                    if is_module(found) and self._is_theirs(names_of(found).get("__name__"), _file_of(found)):
                        spaces.append(names_of(found))  # helpers.find: `find` is a name in `helpers`

    def _class(self, cls: type) -> Iterator[object]:
        home = home_of_class(cls)
        file = _file_of(sys.modules.get(home))
        if self._is_theirs(home, file):
            self._file(file)
            yield from bases_of(cls)[1:]
            yield from (one for name, one in names_of(cls).items() if name not in ("__dict__", "__weakref__"))

    def _file(self, name: str | None) -> bool:
        """Marks what stands in a file; whether there is one."""
        if name is None:
            return False
        if name not in self._files:
            try:
                self._files[name] = hashlib.blake2b(Path(name).read_bytes(), digest_size=16).hexdigest()
            except OSError:
                self._files[name] = ""
        self.marks.add(f"file {self._files[name]}")
        return bool(self._files[name])

    def _is_theirs(self, module: object, file: str | None) -> bool:
        """Whether to look into it: not if it is of some other installed package."""
        if _is_known(module):
            return False
        return _top(module) == self._home or _INSTALLED.isdisjoint(Path(file or "").parts)


def _is_known(module: object) -> bool:
    """Python's own and ours: the key of the cache has both already."""
    return _top(module) in sys.stdlib_module_names or _top(module) == _top(__name__)


def _top(module: object) -> str:
    return module.partition(".")[0] if type(module) is str else ""


def _file_of(module: object) -> str | None:
    file = names_of(module).get("__file__")
    return file if type(file) is str else None


def _names(code: types.CodeType) -> Iterator[str]:
    """Every name of the code and of what is defined in it, in the order of the code."""
    yield from code.co_names
    for one in code.co_consts:
        if type(one) is types.CodeType:
            yield from _names(one)
