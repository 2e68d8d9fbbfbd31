"""Who is acting, and what they owe: the heart of the run-time half.

A change of state is a *debt* of whoever was on stage when it was made. Anyone may pay it by putting the old value
back. What is still owed when the owner's scope is over is *claimed*. What becomes of a claim afterwards (the next
set-up re-makes the state, a wider scope's clean-up puts it right, nobody does) is kept beside it; `weights` sets its
level once, when the run is over, so that it does not hang on which test came last.

Plain Python: no pytest, no clock, no process. Values are opaque and compared with ``==``: whoever notes a change hands
in something that is safe to compare (`pytest_secaudit.watch.state`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import NamedTuple

from pytest_secaudit.lean import lean
from pytest_secaudit.model import OwnerKind
from pytest_secaudit.watch.state import Change, Held


class Actor(NamedTuple):
    """Who acts: one set-up of a fixture, one run of a test, the import of a module.

    A tuple, not a dataclass: one is made for each test, in a fifth of the time.

    Attributes:
        id: the name under which the owner is reported, equal each time it acts.
        group: the class or module whose set-ups run before it, as an id.
        path, line: its definition; the path is relative to the rootdir.
        plugin: the installed plugin that a fixture comes from.
        ids: of a window, those who may have been it.
        serial: tells apart the several times that one owner acts.
    """

    kind: OwnerKind
    id: str
    group: str = ""
    scope: str | None = None
    path: str = ""
    line: int = 1
    plugin: str | None = None
    ids: tuple[str, ...] = ()
    serial: int = 0


OUTSIDE = Actor("outside", "outside")

#: Where a dear look goes: to the modules in which something was found before, and to all others.
NEAR, FAR = 1, 2


@dataclass(slots=True, eq=False)
class Claim:
    """A debt that its owner had not paid when its scope was over.

    Attributes:
        serial: its number in this process.
        after_failure: the owner is a test that failed.
        paid_by: who put the old value back in the end; None if nobody did.
        remade: a set-up put it back before the next test body ran.
        bodies: the test bodies that ran while it was in force: from this number on,
        until: and before that one; None while it is in force.
    """

    serial: int
    owner: Actor
    area: str
    change: Change
    bodies: int
    after_failure: bool = False
    paid_by: Actor | None = None
    remade: bool = False
    until: int | None = None


@dataclass(slots=True, eq=False)
class _Debt:
    owner: Actor
    area: str
    change: Change
    claim: Claim | None = None


#: An area and a key of a change in it.
_Key = tuple[str, str]


@lean
@dataclass(frozen=True, slots=True)
class _Repair:
    """Somebody put back what others had changed: for good, or for the time of a test.

    Attributes:
        value: what was there before; if it comes back while the actor is in scope, nothing has happened.
        height: how many debts lie below those that were paid.
    """

    actor: Actor
    value: object
    height: int
    debts: list[_Debt]

    def as_of(self, value: object) -> list[_Debt]:
        """The debts that stand again with this value; none if it never was there.

        A clean-up may leave out what stood last: `monkeypatch` goes back to what was there before its own fixture.
        """
        if self.value == value:
            return self.debts
        return self.debts[: next((n for n, debt in enumerate(self.debts) if debt.change.before == value), 0)]


@lean
@dataclass(frozen=True, slots=True)
class Body:
    """One run of a test body.

    Attributes:
        unwatched: where nobody looked between the last set-up and this body, which need not have seen what was in force
            before: nowhere (0), `FAR`, or `NEAR` and `FAR`.
    """

    test: str
    group: str
    failed: bool
    unwatched: int = 0


class Ledger:
    """The debts and claims of one process."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        self._bodies: list[str] = []  # two lists: a pair for each test would take four times the room
        self._groups: list[str] = []
        self._unwatched = bytearray()
        #: Where nobody looked when the last set-up or clean-up left the stage, which may have put anything back there.
        self.unwatched = 0
        self._failed: set[int] = set()
        self.setting_up = False
        self._stage: list[Actor] = []
        self._debts: dict[_Key, list[_Debt]] = {}
        self._unclaimed: defaultdict[Actor, int] = defaultdict(int)
        self._repairs: dict[_Key, _Repair] = {}
        self._serials = count()

    # --- who is acting

    @property
    def acting(self) -> Actor:
        """Who is on stage now."""
        return self._stage[-1] if self._stage else OUTSIDE

    @property
    def somebody_acts(self) -> bool:
        """Whether anybody is on stage."""
        return bool(self._stage)

    def enter(self, actor: Actor) -> None:
        """The actor goes on stage. Note first what those before it did."""
        self._stage.append(actor)

    def leave(self, actor: Actor) -> None:
        """The actor, and whoever it forgot on stage, leaves. An actor that is not there changes nothing."""
        stage = self._stage
        if stage and stage[-1] is actor:
            del stage[-1]
        elif actor in stage:
            while stage.pop() != actor:
                pass

    def set_up_begins(self) -> None:
        """Between two tests nobody is on stage, and what those of the last one repaired is for good."""
        self._stage.clear()
        if self._repairs:
            self._repairs = {key: one for key, one in self._repairs.items() if one.actor.scope != "function"}
        self.setting_up = True

    # --- what they did

    def note(self, area: str, changes: Iterable[Change]) -> None:
        """What was found changed was done by whoever is on stage, or by the starter of the thread that wrote."""
        for change in changes:
            key = (area, change.key or change.subject)
            debts = self._debts.setdefault(key, [])
            paid = next((n for n, debt in enumerate(debts) if debt.change.before == change.after), None)
            if paid is not None:
                self._pay_from(paid, debts, key, change)
            elif not self._is_undone_repair(debts, key, change):
                self._owe(area, change, debts)
            if not debts:
                self._debts.pop(key, None)

    def _pay_from(self, paid: int, debts: list[_Debt], key: _Key, change: Change) -> None:
        """Back to what it was before that debt: it is paid, with all that came on top of it."""
        settled = debts[paid:]
        del debts[paid:]
        for debt in settled:
            self._pay(debt)
        actor = self.acting
        if actor is not OUTSIDE and any(debt.owner != actor for debt in settled):
            self._repairs[key] = _Repair(actor, change.before, len(debts), settled)

    def _is_undone_repair(self, debts: list[_Debt], key: _Key, change: Change) -> bool:
        """Whether somebody only took away for a while what another owes: `monkeypatch.delenv` of a fixture's variable."""
        repair = self._repairs.get(key)
        again = repair.as_of(change.after) if repair is not None else []
        if repair is None or not again or len(debts) < repair.height:
            return False
        for debt in debts[repair.height :]:
            self._pay(debt)
        debts[repair.height :] = again
        for debt in again:
            self._owe_again(debt, repair)
        del self._repairs[key]
        return True

    def _owe_again(self, debt: _Debt, repair: _Repair) -> None:
        """A set-up that takes it away, and a test that has it again: the test's clean-up, or its own doing once more.

        A claim stays re-made then: at worst the set-up takes it away for the next test too.
        """
        claim = debt.claim
        if claim is None:
            self._unclaimed[debt.owner] += 1
        elif self.acting.kind != "test" or self.acting == repair.actor:
            claim.paid_by, claim.until, claim.remade = None, None, False

    def _owe(self, area: str, change: Change, debts: list[_Debt]) -> None:
        by = change.site.by if change.site is not None else None
        owner = by if type(by) is Actor else self.acting
        newest = debts[-1] if debts else None
        if newest is not None and newest.owner == owner and newest.claim is None:
            newest.change = replace(
                newest.change, subject=change.subject, after=change.after, site=change.site or newest.change.site
            )
        else:
            debts.append(_Debt(owner, area, change))
            self._unclaimed[owner] += 1

    def _pay(self, debt: _Debt) -> None:
        claim = debt.claim
        if claim is None:
            self._settled(debt.owner)
            return
        if claim.paid_by is not None:
            return
        claim.paid_by = self.acting
        claim.until = len(self._bodies)
        claim.remade = self.setting_up and claim.until == claim.bodies

    def _settled(self, owner: Actor) -> None:
        self._unclaimed[owner] -= 1
        if not self._unclaimed[owner]:
            del self._unclaimed[owner]

    # --- what they owe

    def owes(self, actor: Actor) -> bool:
        """Whether the actor has debts that are not claimed yet."""
        return actor in self._unclaimed

    def is_even(self, actors: Iterable[Actor]) -> bool:
        """Whether there is nothing to do when their scopes are over: no debt of theirs, and no repair to forget."""
        return not self._repairs and (not self._unclaimed or self._unclaimed.keys().isdisjoint(actors))

    def _open(self, actor: Actor) -> Iterator[_Debt]:
        if actor in self._unclaimed:
            for debts in self._debts.values():
                yield from (debt for debt in debts if debt.owner == actor and debt.claim is None)

    def forgive(self, actor: Actor, area: str, change: Change) -> None:
        """A debt that turned out to be none."""
        key = (area, change.key or change.subject)
        debts = self._debts.get(key, [])
        for debt in [debt for debt in debts if debt.owner == actor and debt.change is change and debt.claim is None]:
            debts.remove(debt)
            self._settled(actor)
        if not debts:
            self._debts.pop(key, None)

    def amend(self, actor: Actor, change: Change, better: Change) -> None:
        """More is known of a debt by now: its line."""
        for debt in self._open(actor):
            if debt.change is change:
                debt.change = better

    def owed(self, actor: Actor) -> list[tuple[str, Change]]:
        """The changes that the actor still owes, with their areas."""
        return [(debt.area, debt.change) for debt in self._open(actor)]

    def close(self, actor: Actor, *, failed: bool = False) -> list[Claim]:
        """The actor's scope is over: what it still owes is claimed."""
        claimed = []
        for debt in self._open(actor):
            debt.claim = Claim(next(self._serials), actor, debt.area, debt.change, len(self._bodies), failed)
            for value in (debt.change.before, debt.change.after):
                if type(value) is Held:
                    value.loosen()
            claimed.append(debt.claim)
        self._unclaimed.pop(actor, None)
        self.over(actor)
        self.claims += claimed
        return claimed

    def over(self, actor: Actor) -> None:
        """The actor's scope is over: what it repaired is for good."""
        if self._repairs:
            for key in [key for key, repair in self._repairs.items() if repair.actor == actor]:
                del self._repairs[key]

    # --- who saw it

    def body_begins(self, test: Actor) -> None:
        """A test goes on stage, and its body starts: it sees every claimed change that is in force."""
        self.setting_up = False
        self._unwatched.append(self.unwatched)
        self.unwatched = 0
        self._stage.append(test)
        self._bodies.append(test.id)
        self._groups.append(test.group)

    def bodies_since(self, test: str) -> int | None:
        """The number of bodies that had run when this test had; None if it never did."""
        number = self._last_of(test)
        return None if number is None else number + 1

    def test_failed(self, test: str) -> None:
        """The test failed: it may be a victim of what it saw."""
        number = self._last_of(test)
        if number is not None:
            self._failed.add(number)

    def has_failed(self, actor: Actor) -> bool:
        """Whether the actor is a test whose last run failed."""
        return actor.kind == "test" and bool(self._failed) and self._last_of(actor.id) in self._failed

    @property
    def bodies(self) -> int:
        """How many test bodies have begun."""
        return len(self._bodies)

    def _last_of(self, test: str) -> int | None:
        return next((number for number in reversed(range(len(self._bodies))) if self._bodies[number] == test), None)

    def seen(self, claim: Claim) -> list[Body]:
        """The bodies that ran while the claim was in force, its owner's own not counted."""
        until = len(self._bodies) if claim.until is None else claim.until
        return [
            Body(self._bodies[number], self._groups[number], number in self._failed, self._unwatched[number])
            for number in range(claim.bodies, until)
            if self._bodies[number] != claim.owner.id
        ]
