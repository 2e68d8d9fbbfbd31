"""What is different from what it was: the outermost places, with what stood there then and what stands there now.

A container or instance that was made anew with the same contents is no difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from pytest_secaudit.lean import lean
from pytest_secaudit.strangers import bases_of, names_of, type_name, with_article
from pytest_secaudit.watch.namespaces.alike import untouched
from pytest_secaudit.watch.namespaces.kinds import CONTAINERS, MOST_ENTRIES, PLAIN, Kind, Mark, size
from pytest_secaudit.watch.namespaces.tree import Made, Node, Ref, Rules, Slot, is_in, level_below, opaque
from pytest_secaudit.watch.state import ABSENT, Held

#: How much of a value is compared when something else stands in its place.
_MOST_PARTS: Final = 1000
_DEPTH: Final = 4

#: The kind of what holds something, and under which mark: one step of the way to it.
Step = tuple[Kind, Mark]
Way = tuple[Step, ...]


@lean
@dataclass(frozen=True, slots=True)
class Content:
    """A container or instance by what is in it.

    Attributes:
        type: the name of its type.
        parts: what is in it; in a row in its order.
        length: of a container.
    """

    kind: Kind
    type: str
    parts: Any
    length: int = 0


@lean
@dataclass(frozen=True, slots=True)
class Difference:
    """Attributes: the way to it from the module's namespace, and what stood and stands there (`ABSENT` for nothing).

    Attributes:
        way: to the place, from the module's namespace on.
        before, after: what was there and is there, to be compared.
        value: what is there now, itself.
        holder: the id of what it is in.
        rebound: the way to the name that stands for another container or instance now, of which this is a part.
    """

    way: Way
    before: Hashable
    after: Hashable
    value: object
    holder: int
    rebound: Way = ()


def differences(node: Node, value: object, rules: Rules) -> Iterator[Difference]:
    """Where a value is not as the node says; what there are several ways to is met on the shortest.

    Args:
        node: what was in it.
        value: the same object, now.
        rules: by which the node was made.
    """
    seen = {id(node)}
    pending: deque[tuple[Node, object, Way]] = deque([(node, value, ())])
    while pending:
        then, now, way = pending.popleft()
        length = size(then.kind, now)
        if then.length is not None or length > MOST_ENTRIES:
            if length != (len(then.marks) if then.length is None else then.length):
                yield Difference(way, _of_node(then), _counted(then.kind, now), now, id(now))
            continue
        found = rules.entries(then.kind, now)
        if then.kind in (Kind.ROW, Kind.SET):
            yield from _whole(then, now, rules, way, found)
        else:
            yield from _parts(then, now, rules, way, found)
        if Node in map(type, then.slots):
            slots = dict(zip(then.marks, then.slots, strict=True))
            for mark, part in found:
                inner = slots.get(mark)
                if type(inner) is Node and id(inner) not in seen and is_in(inner, part):
                    seen.add(id(inner))
                    pending.append((inner, part, (*way, (then.kind, mark))))


def _whole(node: Node, value: object, rules: Rules, way: Way, found: list[tuple[Mark, object]]) -> Iterator[Difference]:
    """A row or a set: all of it, or nothing."""
    if node.kind is Kind.SET:
        same = frozenset(node.marks) == frozenset(mark for mark, _ in found)
    else:
        same = len(found) == len(node.slots) and all(
            is_in(slot, part) for slot, (_, part) in zip(node.slots, found, strict=True)
        )
    if not same:
        before, after = _of_node(node), frozen(value, rules, node.level)
        if before != after:
            yield Difference(way, before, after, value, id(value))


def _parts(node: Node, value: object, rules: Rules, way: Way, found: list[tuple[Mark, object]]) -> Iterator[Difference]:
    """What has names or keys: each of them."""
    if len(found) == len(node.marks) and all(
        mark == then and is_in(slot, part)
        for (mark, part), then, slot in zip(found, node.marks, node.slots, strict=True)
    ):
        return
    then = {_exactly(mark): (mark, slot) for mark, slot in zip(node.marks, node.slots, strict=True)}
    for mark, part in found:
        known = then.pop(_exactly(mark), None)
        if known is not None and is_in(known[1], part):
            continue
        if known is None and node.kind is Kind.MOCK and untouched(part) is not None:
            continue  # somebody only asked for it
        slot = None if known is None else known[1]
        before = ABSENT if known is None else _of_slot(slot, rules.lent(slot))
        after = frozen(part, rules, level_below(node))
        if before == after:
            continue
        if known is None and after == _inherited(node, value, mark, rules):
            continue
        place = (*way, (node.kind, mark))
        if type(slot) is Node and _is_made_anew(slot, part, rules):
            for one in differences(slot, part, rules):
                yield replace(one, way=(*place, *one.way), rebound=place)
        else:
            yield Difference(place, before, after, part, id(value))
    for mark, slot in then.values():
        before = _of_slot(slot)
        if before != _inherited(node, value, mark, rules):
            yield Difference((*way, (node.kind, mark)), before, ABSENT, None, id(value))


def _inherited(node: Node, value: object, mark: Mark, rules: Rules) -> Hashable:
    """What a class has of its bases under a name, and an instance of its class: to set the same is no difference."""
    if node.kind not in (Kind.CLASS, Kind.INSTANCE) or type(mark) is not str:
        return None
    bases = bases_of(value)[1:] if node.kind is Kind.CLASS else bases_of(type(value))  # type: ignore[arg-type]
    for base in bases:
        found = names_of(base).get(mark, _MISSING)
        if found is not _MISSING:
            return frozen(found, rules, level_below(node))
    return None


_MISSING: Final = object()


def _is_made_anew(node: Node, value: object, rules: Rules) -> bool:
    """Whether something of the same kind stands there now, to be compared part by part: some may be as they were."""
    if node.kind not in (Kind.DICT, Kind.ROW, Kind.SET, Kind.INSTANCE):
        return False
    return type_name(value) == node.type and rules.kind(value, node.level) is node.kind


def _exactly(mark: Mark) -> Hashable:
    return mark if type(mark) is str else (type(mark), mark)


# --- what stands for a value in a difference


def frozen(value: object, rules: Rules, level: int, depth: int = 0) -> Hashable:
    """The value, to be compared with others; nobody's object is kept alive by it."""
    cls = type(value)
    if cls in PLAIN:
        return cls.__name__, value
    kind = rules.kind(value, level)
    if kind is None or kind in (Kind.CLASS, Kind.FUNCTION, Kind.MODULE, Kind.MOCK) or depth > _DEPTH:
        return opaque(value)
    length = size(kind, value)
    if length > _MOST_PARTS:
        return _counted(kind, value)
    parts = [(mark, frozen(part, rules, level + 1, depth + 1)) for mark, part in rules.entries(kind, value)]
    return Content(kind, type_name(value), _arranged(kind, parts), length)


def _of_node(node: Node, depth: int = 0) -> Hashable:
    if node.length is not None:
        return Content(node.kind, node.type, (), node.length)
    parts = [(mark, _of_slot(slot, depth=depth + 1)) for mark, slot in zip(node.marks, node.slots, strict=True)]
    return Content(node.kind, node.type, _arranged(node.kind, parts), len(parts) if node.kind in CONTAINERS else 0)


def _of_slot(slot: Slot, lent: Node | None = None, depth: int = 0) -> Hashable:
    """What stood there.

    Args:
        slot: what stands for it.
        lent: what was in it, if another module looks into it.
        depth: how deep it is in what is told of.
    """
    inner, slot = (slot, slot.of) if type(slot) is Node else (lent, slot)
    kind = type(slot)
    if kind in PLAIN:
        return kind.__name__, slot
    if inner is not None and inner.kind not in (Kind.CLASS, Kind.FUNCTION, Kind.MODULE, Kind.MOCK) and depth <= _DEPTH:
        return _of_node(inner, depth)
    if kind is Made:
        return slot.token  # type: ignore[no-any-return]
    if kind is Ref:
        alive = slot()
        if alive is None:
            return slot.form or Held(object(), with_article(slot.type))
        return opaque(alive)
    return slot[1] if kind is tuple else opaque(slot)


def _counted(kind: Kind, value: object) -> Content:
    return Content(kind, type_name(value), (), size(kind, value))


def _arranged(kind: Kind, parts: Iterable[tuple[Mark, Hashable]]) -> Hashable:
    if kind is Kind.ROW:
        return tuple(part for _, part in parts)
    if kind is Kind.SET:
        return frozenset(_exactly(mark) for mark, _ in parts)
    return frozenset((_exactly(mark), part) for mark, part in parts)


def has_only_grown(before: Any, after: Any) -> bool:
    """Whether all that was there is still there, in a row as it was, and more has come."""
    if type(before) is not Content or type(after) is not Content or before.kind is not after.kind:
        return False
    if before.kind not in CONTAINERS or after.type == "tuple":
        return False
    if (not before.parts and before.length) or (not after.parts and after.length):
        return before.length < after.length
    if before.kind is Kind.ROW:
        return bool(after.parts[: len(before.parts)] == before.parts)
    return bool(before.parts <= after.parts)
