"""What was in a module, and in what it holds, at one moment: to be compared with what is there later.

Kept are names and keys, plain values, and for everything else who it was: no object lives longer by this. An object
that dies tells its module, so that another one at the same address is not taken for it.
"""

from __future__ import annotations

import gc
import threading
import types
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

from pytest_secaudit.strangers import bases_of, home_of_class, names_of, type_name
from pytest_secaudit.watch.namespaces.alike import alike
from pytest_secaudit.watch.namespaces.kinds import (
    CONTAINERS,
    MOST_ENTRIES,
    PLAIN,
    Kind,
    Kinds,
    Mark,
    attributes,
    entries,
    is_interpreters,
    kind_of_container,
    parametrized,
    size,
)
from pytest_secaudit.watch.state import Held

#: How many entries are looked at in one module and all that it holds.
MOST_IN_A_MODULE: Final = 5000


class Ref(weakref.ref):  # type: ignore[type-arg]
    """Knows in whose tree the object is, and what it was when it is gone.

    Attributes:
        home: whoever the tree belongs to.
        type: the name of the object's type.
        form: what it was equal to others by (`alike`).
    """

    __slots__ = ("form", "home", "type")
    form: Hashable | None
    home: object
    type: str


#: Stands for an object that nothing can refer to weakly. A plain tuple of plain values: the garbage collector passes by.
#: Its id; what there is to compare, if another one takes its place (of a container its type and length); and whether
#: that tells better than the id, which another object may have by now (`alike`).
Number = tuple[int, Hashable, bool]


def form_of(value: object) -> Hashable:
    """The type and length of a container that is not looked into, what is alike; anything else is only itself."""
    form = alike(value)
    if form is not None:
        return form
    kind = None if is_interpreters(value) else kind_of_container(value)
    return (type_name(value), id(value) if kind is None else size(kind, value))


def opaque(value: object) -> Hashable:
    """Somebody's object, as nothing but itself; a function that was made anew from the same code is no other one."""
    cls = type(value)
    if cls is types.FunctionType:
        held = Held(value.__code__, "a function")  # type: ignore[attr-defined]
        held.loosen()
        return held
    if cls in (classmethod, staticmethod):
        return cls.__name__, opaque(value.__func__)  # type: ignore[attr-defined]
    if cls is property:
        return "property", (opaque(value.fget), opaque(value.fset), opaque(value.fdel))  # type: ignore[attr-defined]
    form = alike(value)
    if form is not None:
        return form
    held = Held(value)
    held.loosen()
    return held if held.is_loose else form_of(value)


class Made:
    """Stands for a function, or what wraps one, by its code.

    Attributes:
        token: equal to that of another one that was made from the same code.
    """

    __slots__ = ("token",)

    def __init__(self, value: object) -> None:
        self.token = opaque(value)


_OF_CODE: Final = frozenset((classmethod, property, staticmethod, types.FunctionType))


#: What stands for a value in a tree: itself if it is plain or a function of the module's own, a `Node` if it is looked
#: into, else a `Ref`, `Number` or `Made`.
Slot = Any


def is_in(slot: Slot, value: object) -> bool:
    """Whether the value is the one that the slot stands for, or a plain one of the same type that equals it."""
    if type(slot) is Node:
        slot = slot.of
    kind = type(slot)
    if kind is Ref:
        return value is not None and slot() is value
    if kind is tuple:
        number, form, is_alike = slot
        return bool(form == alike(value) if is_alike else number == id(value))
    if kind is Made:
        return type(value) in _OF_CODE and bool(opaque(value) == slot.token)
    if slot is value or kind is not type(value) or kind not in PLAIN:
        return slot is value
    return bool(value == slot or (value != value and slot != slot))  # noqa: PLR0124 - not a number


class Node:
    """One thing that is looked into, as it was.

    Attributes:
        kind: how it is looked into.
        type: the name of its type.
        level: the number of steps from the module's namespace.
        of: what stands for the thing itself, apart from what was in it.
        marks, slots: what was in it.
        length: the number of entries, if it has too many to be looked into; else None.
    """

    __slots__ = ("kind", "length", "level", "marks", "of", "slots", "type")

    def __init__(self, kind: Kind, value: object, level: int, of: Slot) -> None:
        self.kind = kind
        self.type = type_name(value)
        self.level = level
        self.of = of
        self.marks: tuple[Mark, ...] = ()
        self.slots: tuple[Slot, ...] = ()
        self.length: int | None = None

    def below(self, mark: Mark) -> Node | None:
        """What was looked into under a mark."""
        found = (slot for one, slot in zip(self.marks, self.slots, strict=True) if one == mark)
        slot = next(found, None)
        return slot if type(slot) is Node else None


def level_below(node: Node) -> int:
    """How many steps away its entries are; those that functions keep count as if the module kept them."""
    return node.level + (node.kind not in (Kind.FUNCTION, Kind.FIXTURE))


def not_lent(whose: object, number: int) -> Node | None:
    """No module has lent anything."""
    return None


class Rules:
    """What is looked into below a module.

    Args:
        kinds: tells of what kind something is.
        home: the module's name: classes and functions of others are looked into where they are from.
        depth: how many steps there are from the module's namespace to the last entries that are looked at.
        is_noise: whether an entry says nothing about the tests.
        whose: the module's root, for the next two: the same functions serve all modules.
        is_anothers: whether an object belongs to another module, which only lent it to this one.
        at_home: what was in an object of another module, by its id, when that module was last looked at; else None.

    Attributes:
        has_mocks: what is called of its mocks matters: they are the tests' own, and no patches of somebody.
    """

    __slots__ = ("_at_home", "_depth", "_is_anothers", "_is_noise", "_kinds", "_whose", "has_mocks", "home")

    def __init__(
        self,
        kinds: Kinds,
        home: str,
        depth: int,
        is_noise: Callable[[Kind, Mark, object], bool],
        whose: object,
        is_anothers: Callable[[Any, object], bool],
        at_home: Callable[[Any, int], Node | None],
    ) -> None:
        self._kinds = kinds
        self.home = home
        self._depth = depth
        self._is_noise = is_noise
        self._whose = whose
        self._is_anothers = is_anothers
        self._at_home = at_home
        self.has_mocks = False

    def lent(self, slot: Slot) -> Node | None:
        """What was in something that belongs to another module, of which this one only knows who it was."""
        return self._at_home(self._whose, slot[0]) if type(slot) is tuple else None

    def kind(self, value: object, level: int) -> Kind | None:
        """How a value is looked into, that many steps from the module; None if it is not."""
        cls = type(value)
        if level > self._depth or cls in PLAIN:
            return None
        if cls is types.FunctionType:
            is_own = value.__module__ == self.home
            return Kind.FUNCTION if is_own and self._kinds.keeps_something(value) else None
        kind = self._kinds.of(value)
        if kind is None or kind is Kind.FIXTURE:
            return kind
        if kind is Kind.CLASS and home_of_class(value) != self.home:  # type: ignore[arg-type]
            return None
        if kind is Kind.MOCK and not self.has_mocks:
            return None
        return None if self._is_anothers(self._whose, value) else kind

    def entries(self, kind: Kind, value: object) -> list[tuple[Mark, object]]:
        """What is in it that may tell something."""
        found = entries(kind, value)
        if kind in CONTAINERS:
            return list(found)
        return [(mark, part) for mark, part in found if not self._is_noise(kind, mark, part)]


class Tree:
    """A module's namespace and all that is looked into below it.

    Attributes:
        root: the node of the module.
        spaces: namespaces to begin with: of the module, of what a thread keeps for itself.
        too_large: the ways to what is not looked into for its size.
    """

    __slots__ = ("_count", "_died", "_home", "_ids", "_nodes", "_rules", "_wanted", "root", "spaces", "too_large")

    def __init__(self, names: types.ModuleType, rules: Rules, died: Callable[[Any], object], home: object) -> None:
        self._rules = rules
        self._died = died
        self._home = home
        self._count = 0
        self._nodes: dict[int, Node] = {}
        self._wanted: set[int] = set()
        self.spaces: list[object] = []
        self.too_large: list[tuple[Mark, ...]] = []
        self.root = self._node(Kind.MODULE, names, 0, self._slot(names))
        pending: deque[tuple[Node, object, tuple[Mark, ...]]] = deque([(self.root, names, ())])
        while pending:
            self._fill(*pending.popleft(), pending)
        # A set takes ten times as much, and the garbage collector's time.
        self._ids = array("Q", self._wanted).tobytes()
        del self._nodes, self._wanted

    @property
    def wanted(self) -> Sequence[int]:
        """The ids of all that is looked into, and of the dicts that keep the attributes of instances."""
        return memoryview(self._ids).cast("Q")

    def _fill(
        self,
        node: Node,
        value: object,
        way: tuple[Mark, ...],
        pending: deque[tuple[Node, object, tuple[Mark, ...]]],
    ) -> None:
        length = size(node.kind, value)
        if length > MOST_ENTRIES or self._count > MOST_IN_A_MODULE:
            node.length = length
            self.too_large.append(way)
            return
        found = self._rules.entries(node.kind, value)
        self._count += len(found)
        node.marks = tuple(mark for mark, _ in found)
        level = level_below(node)
        slots: list[Slot] = []
        for mark, part in found:
            slot = self._slot(part)
            kind = None if type(part) in PLAIN else self._rules.kind(part, level)
            if kind is not None:
                inner = self._nodes.get(id(part))
                if inner is None:
                    inner = self._node(kind, part, level, slot)
                    pending.append((inner, part, (*way, mark)))
                slot = inner
            slots.append(slot)
        node.slots = tuple(slots)

    def _node(self, kind: Kind, value: object, level: int, of: Slot) -> Node:
        node = self._nodes[id(value)] = Node(kind, value, level, of)
        self._wanted.add(id(value))
        self._note_where_it_keeps(kind, value)
        return node

    def _note_where_it_keeps(self, kind: Kind, value: Any) -> None:
        if kind is Kind.MODULE:
            self.spaces.append(names_of(value))
        elif kind is Kind.CLASS:  # what is asked for is a view, and behind it is the dict itself
            self._wanted.update(map(id, gc.get_referents(names_of(value))))
        elif kind is Kind.FUNCTION:
            self._wanted.update(map(id, (value.__defaults__, value.__kwdefaults__, value.__dict__)))
            self.spaces += [mark.args[1] for mark in parametrized(value)]
        elif kind is Kind.FIXTURE:
            self.spaces += [params for _, params in entries(kind, value)]
        elif threading.local in bases_of(type(value)):
            self.spaces.append(attributes(value))
        elif kind in (Kind.INSTANCE, Kind.MOCK):
            names = names_of(value)
            self._wanted.update(map(id, (names, names.get("_mock_children"))))

    def _is_own(self, function: Any) -> bool:
        """A function of the module itself leads to nothing but the module: there are many, and to hold it is harmless."""
        return function.__globals__ is self.spaces[0] and function.__closure__ is None

    def _slot(self, value: object) -> Slot:
        kind = type(value)
        if kind in PLAIN or (kind is types.FunctionType and self._is_own(value)):
            return value
        if kind in _OF_CODE:
            return Made(value)
        try:
            ref = Ref(value, self._died)
        except TypeError:
            return id(value), form_of(value), alike(value) is not None
        ref.home = self._home
        ref.type = type_name(value)
        ref.form = alike(value)
        return ref
