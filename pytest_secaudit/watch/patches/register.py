"""Which patches are in force, and which of those a look has told of.

A patch that is opened and undone between two looks leaves no trace here. The rest is told as a debt, and its end as the
payment. The end is not believed: when patches of one attribute are undone in another order than the reverse, the last
one puts an older replacement back, so the attribute itself is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import count
from types import CodeType
from typing import Any, Final, Protocol

from pytest_secaudit.strangers import is_class, is_module
from pytest_secaudit.watch.patches.targets import NOTHING, Places, Slot, attribute_subject, raw
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held, Site

#: Where a patch was made: a site, or an instruction of which a site can still be made.
Where = Site | tuple[CodeType, int] | None

#: Around our own bookkeeping within somebody's call: what goes wrong with us is no affair of theirs.
QUIETLY: Final = suppress(Exception)

_UNKNOWN: Final = object()

#: How many patchers of one attribute are minded that are in force and replace nothing, as another put it right.
_DORMANT = 20

WRONG_ORDER = "still replaced: its patchers were stopped in the wrong order"


class Kind(Protocol):
    """One way to patch: what is asked about a thing of it (a patcher, an act) that is in force.

    Attributes:
        word: begins the key of its changes, by which `fix` is found again.
    """

    word: str

    def slot(self, thing: Any, /) -> Slot | None:
        """The attribute that is replaced, and what was there before; None for anything else."""

    def target(self, thing: Any, /) -> object | None:
        """The object that must outlive the test; None for what belongs to the process."""

    def given(self, thing: Any, name: str, /) -> str:
        """The dotted path by which the user named that object, or an empty string."""

    def is_in_force(self, thing: Any, /) -> bool:
        """Whether it is, as far as the thing itself knows."""

    def let_go(self, thing: Any, /) -> None:
        """A claim was made: what the thing held for us alone is not needed any more."""

    def subjects(self, thing: Any, target: str, /) -> Iterable[tuple[str, str]]:
        """What is changed and how; ``target`` is the name of the target, or an empty string."""

    def fix(self, subject: str, said: str, /) -> str:
        """One line that names the user's own code."""


#: A thing in force: its kind, itself, a name (of the attribute), where it was made. A plain tuple, because of its price.
Opened = tuple[Kind, Any, str, Where]


class _Told:
    """A patch that a look has told of.

    Attributes:
        is_owed: its changes were reported and not taken back.
    """

    __slots__ = ("changes", "held", "is_owed", "kind", "name", "where")

    def __init__(self, opened: Opened) -> None:
        self.kind, thing, self.name, self.where = opened
        self.held = Held(thing)
        self.changes: tuple[Change, ...] = ()
        self.is_owed = False

    def owe(self) -> tuple[Change, ...]:
        self.is_owed = True
        return self.changes

    def pay(self) -> list[Change]:
        changes = self.changes if self.is_owed else ()
        self.is_owed = False
        return [Change(change.subject, change.after, change.before, None, change.key) for change in changes]

    @property
    def opened(self) -> Opened:
        return self.kind, self.held.value, self.name, self.where


class _Disorder:
    """An attribute whose patches are not undone in reverse order.

    Attributes:
        original: what the first of them replaced, where that is known.
        told: the one that was undone last,
        put_back: and what it put there.
    """

    __slots__ = ("_target", "attribute", "original", "put_back", "told")

    def __init__(self, target: object, attribute: str, original: object, told: _Told) -> None:
        self._target = Held(target)
        self.attribute = attribute
        self.original = original
        self.told = told
        self.put_back = Held(NOTHING)

    @property
    def target(self) -> object:
        return self._target.value

    def is_replaced(self) -> bool | None:
        """Whether the attribute is not the original; None where nobody can tell."""
        now = raw(self.target, self.attribute)
        if self.original is _UNKNOWN:
            return now is self.put_back.value
        return None if now is NOTHING and not _holds_its_attributes(self.target) else now is not self.original

    def is_left(self) -> bool:
        """Whether the last one put a replacement back."""
        return bool(self.is_replaced()) and raw(self.target, self.attribute) is self.put_back.value

    def loosen(self) -> None:
        self._target.loosen()
        self.put_back.loosen()


class Register:
    """The patches in force.

    Threads may come in at any time: nothing here goes over what may change meanwhile, and what was lost or kept in such
    a moment is found out by asking the thing whether it is in force.

    Attributes:
        fresh: what came into force since the last look, the newest last.
        told: the rest, by the address of the thing.
        disorders: by target and attribute.
        heard_by: told of each thing that comes into force, if anybody wants to know.
    """

    def __init__(self, stack: Stack) -> None:
        self.places = Places()
        self.fresh: list[Opened] = []
        self.told: dict[int, _Told] = {}
        self._named: defaultdict[str, dict[int, _Told]] = defaultdict(dict)
        self._by_key: dict[str, _Told] = {}
        self._gone: list[_Told] = []
        self.disorders: dict[tuple[int, str], _Disorder] = {}
        self._to_judge: list[tuple[int, str]] = []
        self._left: dict[str, _Disorder] = {}
        self._serials = count(1)
        self._stack = stack
        self.heard_by: Callable[[Kind, Any, Where], None] | None = None

    # --- what patchers do

    def open(self, kind: Kind, thing: Any, name: str, where: Where) -> None:
        """The thing has just come into force."""
        self.fresh.append((kind, thing, name, where))
        if self.heard_by is not None:
            self.heard_by(kind, thing, where)

    def open_again(self, kind: Kind, thing: Any, name: str, where: Where) -> None:
        """It was in force before: entered twice, a patcher of `mock` forgets the original."""
        slot = kind.slot(thing)
        told = self._told_thing(thing)
        if told is None and not any(opened[1] is thing for opened in self.fresh[:]):
            self.open(kind, thing, name, where)
        if slot is not None:
            again = _Disorder(slot[0], slot[1], _UNKNOWN, told or _Told((kind, thing, name, where)))
            self.disorders.setdefault((id(slot[0]), slot[1]), again)

    def close(self, thing: Any) -> Opened | None:
        """The thing is about to be undone; None if it was not in force, as far as we know."""
        fresh = self.fresh
        opened = next((opened for opened in reversed(fresh[:]) if opened[1] is thing), None)
        told = self._told_thing(thing) if opened is None else None
        if told is not None:
            opened = told.opened
        if opened is None:
            return None
        try:
            self._mind_the_order(opened, told)
        finally:
            if told is None:
                fresh[:] = [other for other in fresh if other is not opened]
            else:
                self._forget(id(thing), told)
                self._gone.append(told)
        return opened

    def _told_thing(self, thing: Any) -> _Told | None:
        told = self.told.get(id(thing))
        return told if told is not None and told.held.value is thing else None

    def told_of(self, key: str) -> _Told | None:
        """The patch that a change of this key told of."""
        return self._by_key.get(key)

    def _forget(self, key: int, told: _Told) -> None:
        if self.told.get(key) is told:
            del self.told[key]
            self._named[told.name].pop(key, None)
        for change in told.changes:
            self._by_key.pop(change.key, None)

    def _of_slot(self, target: object, attribute: str) -> list[tuple[Any, Slot]]:
        """The things in force that replace this attribute, the oldest first."""
        told = [(told.kind, told.held.value) for told in list(self._named[attribute].values())]
        fresh = [(kind, thing) for kind, thing, name, _ in self.fresh[:] if name == attribute]
        slots = [(thing, kind.slot(thing)) for kind, thing in told + fresh if thing is not None]
        return [(thing, slot) for thing, slot in slots if slot is not None and slot[0] is target]

    def _mind_the_order(self, opened: Opened, told: _Told | None) -> None:
        kind, thing, _, _ = opened
        slot = kind.slot(thing)
        if slot is None:
            return
        target, attribute, before = slot
        name = (id(target), attribute)
        of_slot = self._of_slot(target, attribute)
        disorder = self.disorders.get(name)
        if disorder is None:
            if not of_slot or of_slot[-1][0] is thing:
                return
            disorder = self.disorders[name] = _Disorder(target, attribute, of_slot[0][1][2], told or _Told(opened))
        disorder.told, disorder.put_back = told or _Told(opened), Held(before)
        self._to_judge.append(name)

    # --- what a look says

    @property
    def stirred(self) -> Sequence[object]:
        """Empty, all of them, while there is nothing to say."""
        return (self.fresh, self._gone, self._to_judge, self._left)

    def take_baseline(self) -> None:
        """What is in force now was there before us: nobody owes it."""
        for told in map(_Told, self._taken()):
            self._tell(told)
        self._gone.clear()
        self._to_judge.clear()

    def news(self) -> list[Change]:
        """What came into force and what ended since the last look."""
        changes: list[Change] = []
        for opened in self._taken():
            if opened[0].is_in_force(opened[1]):
                changes += self._tell(self._told_of(opened))
        while self._to_judge:
            changes += self._judged(self._to_judge.pop())
        while self._gone:
            changes += self._gone.pop(0).pay()
        for key, disorder in list(self._left.items()):
            if not disorder.is_replaced():
                changes += self._by_key[key].pay()
                self._end_left(key)
        return changes

    def _taken(self) -> list[Opened]:
        taken = self.fresh[:]
        del self.fresh[: len(taken)]
        return taken

    def _tell(self, told: _Told) -> tuple[Change, ...]:
        key = id(told.held.value)
        self.told[key] = self._named[told.name][key] = told
        for change in told.changes:
            self._by_key[change.key] = told
        return told.owe()

    def _told_of(self, opened: Opened) -> _Told:
        told = _Told(opened)
        kind, thing, name, where = opened
        if type(where) is Site and where.written_at is None:
            return told  # pytest's own doing, or a plugin's
        target = kind.target(thing)
        known = self.places.name(target, kind.given(thing, name), where) if target is not None else ""
        site = self.site_of(where)
        told.changes = tuple(
            Change(subject, ABSENT, said, site, f"{kind.word} {next(self._serials)}")
            for subject, said in kind.subjects(thing, known)
        )
        return told

    def site_of(self, where: Where) -> Site | None:
        """Where it was made, if that is a line of somebody's."""
        site = self._stack.of(_Instruction(*where)) if type(where) is tuple else where  # type: ignore[arg-type]
        return site if type(site) is Site and site.written_at is not None else None

    def _judged(self, name: tuple[int, str]) -> Iterable[Change]:
        """What to say of an attribute whose patches end in a wrong order: as much as it is replaced itself."""
        disorder = self.disorders.get(name)
        if disorder is None:
            return ()
        in_force = [self.told.get(id(thing)) for thing, _ in self._of_slot(disorder.target, disorder.attribute)]
        told = [one for one in in_force if one is not None]
        if not in_force:
            del self.disorders[name]
            return self._leave(disorder) if disorder.is_left() else ()
        is_replaced = disorder.is_replaced()
        if is_replaced is False:
            changes = [change for one in told for change in one.pay()]
            for one in told[:-_DORMANT]:
                self._forget(id(one.held.value), one)
            return changes
        return told[-1].owe() if is_replaced and told and not any(one.is_owed for one in told) else ()

    def _leave(self, disorder: _Disorder) -> Iterable[Change]:
        told = disorder.told
        if told in self._gone:
            self._gone.remove(told)
        if not told.changes:
            told.changes = (self._leaving(told, disorder),)
        key = told.changes[0].key
        self._by_key[key] = told
        self._left[key] = disorder
        return () if told.is_owed else told.owe()

    def _leaving(self, told: _Told, disorder: _Disorder) -> Change:
        """Of a patcher that no look has told of, that is undone already, and knows its target no more."""
        name = self.places.name(disorder.target, "", told.where)
        subject = attribute_subject(disorder.target, disorder.attribute, name)
        return Change(subject, ABSENT, WRONG_ORDER, self.site_of(told.where), f"{told.kind.word} {next(self._serials)}")

    def _end_left(self, key: str) -> None:
        self._left.pop(key, None)
        self._by_key.pop(key, None)

    # --- what a claim asks

    def said(self, change: Change) -> str:
        return WRONG_ORDER if change.key in self._left else str(change.after)

    def is_lasting(self, key: str) -> bool:
        """Whether what was told under this key concerns later tests. If not, it is forgotten; else held no longer."""
        told = self._by_key.get(key)
        if told is None:
            return False
        disorder = self._left.get(key)
        thing = told.held.value
        lasting = self._is_lasting(told, thing, disorder)
        if lasting:
            told.kind.let_go(thing)
            told.held.loosen()
            if disorder is not None:
                disorder.loosen()
        else:
            self._end_left(key)
            self._forget(id(thing), told)
        return lasting

    def _is_lasting(self, told: _Told, thing: Any, disorder: _Disorder | None) -> bool:
        if disorder is not None:
            return self.places.is_lasting(disorder.target, "", told.where)
        if thing is None or not told.kind.is_in_force(thing):
            return False
        target = told.kind.target(thing)
        return target is None or self.places.is_lasting(target, told.kind.given(thing, told.name), told.where)

    def settle(self) -> None:
        """What ended unheard, or was put right by hand, is no debt any more."""
        for key, told in list(self.told.items()):
            thing = told.held.value
            if thing is not None and (not told.kind.is_in_force(thing) or _is_put_right(told.kind.slot(thing))):
                self._forget(key, told)
                self._gone.append(told)

    def stop(self) -> None:
        """The run is over; let go of everything."""
        for by_name in (self.told, self._named, self._by_key, self.disorders, self._left):
            by_name.clear()
        self.fresh.clear()
        self._gone.clear()
        self._to_judge.clear()


class _Instruction:
    """Stands for a frame, of which only the code and the place in it were kept."""

    f_back = None

    def __init__(self, code: CodeType, at: int) -> None:
        self.f_code = code
        self._at = at

    @property
    def f_lineno(self) -> int:
        return next((line or 0 for start, end, line in self.f_code.co_lines() if start <= self._at < end), 0)


def _is_put_right(slot: Slot | None) -> bool:
    if slot is None:
        return False
    target, attribute, before = slot
    return raw(target, attribute) is before and (before is not NOTHING or _holds_its_attributes(target))


def _holds_its_attributes(target: object) -> bool:
    """Whether what it does not hold itself cannot be replaced: an instance may have slots and properties."""
    return is_module(target) or is_class(target)
