"""What is looked into, and how: modules, classes, containers, instances of the project's own classes, and few others.

Strangers' code never runs here: contents are read with the methods of the built-in types, attributes out of the
namespaces that the interpreter keeps.
"""

from __future__ import annotations

import argparse
import collections
import enum
import functools
import gc
import sys
import threading
import types
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from pytest_secaudit.strangers import bases_of, called, home_of_class, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.namespaces.alike import MOCKS

PLAIN: Final = frozenset((bool, bytes, complex, float, int, str, type(None), type(Ellipsis), type(NotImplemented)))
#: Beyond this many entries a container is only counted.
MOST_ENTRIES: Final = 1000


class Kind(enum.Enum):
    """How something is looked into."""

    MODULE = "module"
    CLASS = "class"
    DICT = "dict"
    ROW = "row"
    SET = "set"
    INSTANCE = "instance"
    FUNCTION = "function"
    FIXTURE = "fixture"
    MOCK = "mock"


NAMED: Final = frozenset((Kind.MODULE, Kind.CLASS, Kind.INSTANCE, Kind.FUNCTION, Kind.FIXTURE, Kind.MOCK))
CONTAINERS: Final = frozenset((Kind.DICT, Kind.ROW, Kind.SET))

_CONTAINERS: Final[tuple[tuple[Any, Kind], ...]] = (
    (dict, Kind.DICT),
    (list, Kind.ROW),
    (tuple, Kind.ROW),
    (deque, Kind.ROW),
    (set, Kind.SET),
    (frozenset, Kind.SET),
)
#: Of these classes instances are looked into wherever they come from: they only hold what somebody puts there.
_OPEN: Final = frozenset(
    (
        argparse.Namespace,
        collections.ChainMap,
        collections.UserDict,
        collections.UserList,
        threading.local,
        types.SimpleNamespace,
    )
)
_FIXED: Final = PLAIN | {frozenset, tuple, type, types.BuiltinFunctionType, types.FunctionType}
_CHANGING: Final = frozenset((Kind.DICT, Kind.ROW, Kind.SET, Kind.INSTANCE, Kind.MOCK))
_KEYS: Final = frozenset((bool, bytes, float, int, str, type(None)))
#: The interpreter's own, which have watchers of their own: whoever holds one under a name of his has nothing in it.
_INTERPRETERS: Final = (
    sys.modules,
    sys.path,
    sys.meta_path,
    sys.path_hooks,
    sys.path_importer_cache,
    sys.argv,
    warnings.filters,
)
_NUMBERS: Final = frozenset(map(id, _INTERPRETERS))
#: What a mock notes when it is called.
_RECORDS: Final = (("_mock_call_count", "call_count"),)

#: What a value is called on the way to it: the key of a dict, if it is plain, or its stand-in.
Mark = Any


class Key:
    """Stands for the key of a dict that is no plain value, and is not asked for its hash."""

    __slots__ = ("number", "said")

    def __init__(self, key: object) -> None:
        self.number = id(key)
        self.said = called(key)

    def __eq__(self, other: object) -> bool:
        return type(other) is Key and other.number == self.number

    def __hash__(self) -> int:
        return self.number


#: Every function has its globals and its builtins.
_DICTS_OF_ALL = 2


class Kinds:
    """Tells of what kind something is.

    Args:
        is_project: whether a class of this module is the project's own, or its tests'.
    """

    def __init__(self, is_project: Callable[[str], bool]) -> None:
        self._is_project = is_project
        self._known: dict[int, tuple[weakref.ref[type], Kind | None]] = {}

    def of(self, value: object) -> Kind | None:
        """None for what is not looked into."""
        cls = type(value)
        if cls in PLAIN:
            return None
        known = self._known.get(id(cls))
        if known is None or known[0]() is not cls:
            if len(self._known) > MOST_ENTRIES:
                self._known.clear()
            known = self._known[id(cls)] = (weakref.ref(cls), self._of_class(cls))
        kind = known[1]
        if is_interpreters(value):
            return None
        return None if kind is Kind.CLASS and not self.is_own(value) else kind  # type: ignore[arg-type]

    def is_own(self, cls: type) -> bool:
        """Whether a class is the project's, and no enumeration."""
        return self._is_project(home_of_class(cls)) and enum.EnumMeta not in bases_of(type(cls))

    def keeps_something(self, function: Any) -> bool:
        """Whether a function keeps something between its calls: attributes, or defaults that can change."""
        found = gc.get_referents(function)  # to ask for `__dict__` would make one
        if function.__defaults__ is None and len([1 for one in found if type(one) is dict and one]) == _DICTS_OF_ALL:
            return False
        for one in found:
            if type(one) is tuple and one is function.__defaults__:
                if self._may_change(one):
                    return True
            elif type(one) is dict and one and one is not function.__globals__ and one is not function.__builtins__:
                if one is not function.__kwdefaults__ or self._may_change(one.values()):
                    return True
        return False

    def _may_change(self, defaults: Iterable[object]) -> bool:
        return any(type(one) not in _FIXED and self.of(one) in _CHANGING for one in defaults)

    def _of_class(self, cls: type) -> Kind | None:
        if cls is types.FunctionType:
            return Kind.FUNCTION
        bases = bases_of(cls)
        if type in bases:
            return Kind.CLASS
        if enum.Enum in bases or types.ModuleType in bases:
            return None
        kind = _container(bases)
        if kind is not None:
            return kind
        if home_of_class(cls) == "_pytest.fixtures":
            return Kind.FIXTURE
        if any(home_of_class(base) in MOCKS for base in bases):
            return Kind.MOCK
        is_open = not _OPEN.isdisjoint(bases) or self._is_project(home_of_class(cls))
        return Kind.INSTANCE if is_open else None


def is_interpreters(value: object) -> bool:
    """Whether it is `sys.modules` or another container of the interpreter itself, under whatever name."""
    return id(value) in _NUMBERS


def kind_of_container(value: object) -> Kind | None:
    """How a container is read; None for anything else."""
    return _container(bases_of(type(value)))


def _container(bases: tuple[type, ...]) -> Kind | None:
    return next((kind for base, kind in _CONTAINERS if base in bases), None)


def entries(kind: Kind, found: Any) -> Iterable[tuple[Mark, object]]:
    """What is in it, by name, key or number; of a set only what is plain."""
    return _READERS[kind](found)


def size(kind: Kind, found: Any) -> int:
    """How many entries a container has; 0 for anything else."""
    length: int = _base_of(found).__len__(found) if kind in CONTAINERS else 0
    return length


def _of_dict(found: dict[Any, object]) -> list[tuple[Mark, object]]:
    return [(key if type(key) in _KEYS else Key(key), value) for key, value in list(dict.items(found))]


def _of_row(found: Any) -> Iterable[tuple[Mark, object]]:
    return enumerate(list(_base_of(found).__iter__(found)))


def _of_set(found: Any) -> Iterable[tuple[Mark, object]]:
    return [(part if type(part) in _KEYS else Key(part), part) for part in list(_base_of(found).__iter__(found))]


def _base_of(found: object) -> Any:
    """The built-in class of a container, whose methods read it whatever its own class says."""
    return next(base for base, _ in _CONTAINERS if base in bases_of(type(found)))


def _of_instance(found: object) -> Iterator[tuple[Mark, object]]:
    kept = _kept_by_the_class(type(found))
    names = attributes(found)
    yield from ((name, value) for name, value in list(names.items()) if type(name) is str and name not in kept)
    for base in bases_of(type(found)):
        for name, slot in names_of(base).items():
            if type(slot) is types.MemberDescriptorType and name != "__dict__":
                try:
                    yield name, slot.__get__(found)
                except AttributeError:  # not set
                    continue


def attributes(found: object) -> Mapping[str, object]:
    """The attributes that an instance keeps in a dict; of what each thread has its own of, those of this thread."""
    if threading.local in bases_of(type(found)):
        names: dict[str, object] = threading.local.__getattribute__(found, "__dict__")  # type: ignore[arg-type]
        return names
    return names_of(found)


def _kept_by_the_class(cls: type) -> frozenset[str]:
    """Names under which an instance keeps what it worked out once."""
    spaces = map(names_of, bases_of(cls))
    return frozenset(
        name for space in spaces for name, value in space.items() if type(value) is functools.cached_property
    )


def _of_names(found: object) -> list[tuple[Mark, object]]:
    return [(name, value) for name, value in list(names_of(found).items()) if type(name) is str]


def _of_function(function: types.FunctionType) -> Iterator[tuple[Mark, object]]:
    defaults = function.__defaults__ or ()
    code = function.__code__
    first = code.co_argcount - len(defaults)
    for name, value in zip(code.co_varnames[first : code.co_argcount], defaults, strict=False):
        yield f"{name}=", value
    yield from ((f"{name}=", value) for name, value in (function.__kwdefaults__ or {}).items())
    yield from _of_names(function)
    for mark in parametrized(function):
        names, values = mark.args[:2]
        yield f"{names if type(names) is str else ','.join(map(str, names))}=", values


def parametrized(function: Any) -> list[Any]:
    """The marks that give a test its parameters: what they hold is handed out again and again."""
    marks, cls = names_of(function).get("pytestmark"), names_of(real.modules.get("pytest")).get("Mark")
    found: list[Any] = [one for one in marks if type(one) is cls] if type(marks) is list else []
    return [one for one in found if one.name == "parametrize" and len(one.args) > 1]


def _of_fixture(definition: object) -> Iterator[tuple[Mark, object]]:
    """The parameters of a fixture; pytest has no public name for them."""
    marker = names_of(definition).get("_fixture_function_marker")
    params = names_of(marker).get("params")
    if type(params) is tuple:
        yield "params=", params


def _of_mock(mock: object) -> Iterator[tuple[Mark, object]]:
    names = names_of(mock)
    yield from ((said, names[name]) for name, said in _RECORDS if name in names)
    if "new" in names and "attribute" in names:  # a patcher, kept by the function that it decorates
        yield "new", names["new"]
    children = names.get("_mock_children")
    if type(children) is dict:
        yield from ((name, child) for name, child in list(children.items()) if type(name) is str)


_READERS: Final[dict[Kind, Callable[[Any], Iterable[tuple[Mark, object]]]]] = {
    Kind.MODULE: _of_names,
    Kind.CLASS: _of_names,
    Kind.DICT: _of_dict,
    Kind.ROW: _of_row,
    Kind.SET: _of_set,
    Kind.INSTANCE: _of_instance,
    Kind.FUNCTION: _of_function,
    Kind.FIXTURE: _of_fixture,
    Kind.MOCK: _of_mock,
}
