"""The words of the watch: a change of state, the value of a slot, and what each area must offer."""

from __future__ import annotations

import weakref
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Protocol

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Place


@lean
@dataclass(frozen=True, slots=True)
class Site:
    """The stack of a writing act, as far as it matters.

    Attributes:
        written_at: the exact line that wrote, the standard library's and pytest's own lines skipped.
        edit: the innermost line in a test module, conftest or test helper under the rootdir, if there is one.
        function: the name of the function that ``edit`` stands in, or an empty string.
        importing: the file of the module whose import wrote, if an import stands between the writing line and ``edit``.
        by: whoever started the thread that wrote, where it is not the one that runs the tests.
    """

    written_at: Place | None = None
    edit: Place | None = None
    function: str = ""
    importing: str = ""
    by: Hashable | None = None


@lean
@dataclass(frozen=True, slots=True)
class Change:
    """What a look found different since the last look.

    ``before`` and ``after`` are compared with ``==`` by the ledger: they are plain values made by the area, or `Held`
    for a user's object, whose own ``__eq__`` is never called. `ABSENT` stands for what is not there.

    Attributes:
        subject: what is changed, as the report names it: ``os.environ['TZ']``, ``shop.orders.charge``.
        site: the stack that wrote, where the act itself was noticed.
        key: tells apart several things of one name (two threads called ``worker``); empty means the subject.
    """

    subject: str
    before: Hashable
    after: Hashable
    site: Site | None = None
    key: str = ""


ABSENT = "<absent>"


class Held:
    """A user's object as the value of a slot: equal only to itself, and let go once it is claimed."""

    __slots__ = ("_ref", "_strong", "said")

    def __init__(self, value: object, said: str = "") -> None:
        self._strong: object | None = value
        self._ref: weakref.ref[object] | None = None
        self.said = said or f"a {type(value).__name__}"

    @property
    def value(self) -> object | None:
        """The object, or None once it is gone."""
        return self._ref() if self._ref is not None else self._strong

    @property
    def is_loose(self) -> bool:
        """Whether the object may go when nobody else holds it."""
        return self._ref is not None

    def loosen(self) -> None:
        """Hold the object only as long as somebody else does: it must not outlive the test by our fault."""
        if self._ref is None:
            try:
                self._ref = weakref.ref(self._strong)
            except TypeError:  # plain values and the like: they do not matter
                return
            self._strong = None

    def __eq__(self, other: object) -> bool:
        return type(other) is Held and (other is self or (self.value is not None and other.value is self.value))

    def __hash__(self) -> int:
        return 0  # never more than a few in one place

    def __repr__(self) -> str:
        return f"Held({self.said})"


class Area(Protocol):
    """One part of the process's state.

    ``look`` is asked at each change of stage, thousands of times a second: unchanged must cost next to nothing, no
    user's ``__eq__``, ``__repr__``, ``isinstance`` or attribute access may run, and no object may be held longer
    than it is in place. Whatever it raises switches the area off.

    Attributes:
        name: under which the report lists the watcher, and ``secaudit_watch_skip`` names it.
        code: of the check that its claims belong to.
        off: why it cannot be watched here (``not on this platform``); empty if it can.

    An area may have more, and is asked less for it (`pytest_secaudit.watch.eyes`) or more exactly:

    * ``look_closely()``: what `look` leaves out because it is dear; now and then, and before a claim.
    * ``seldom``: true if all of `look` is.
    * ``stirred``: some containers; while all are empty, and no module came or went, there is nothing to look at.
    * ``slots``: namespaces and names in them; whichever is bound anew, `look` is asked. Only beside ``stirred``.
    * ``sizes``: lists and dicts; whichever grows or shrinks, `look` is asked. Only beside ``stirred``.
    * ``look_near()``, ``look_far()``: what is too dear to be looked at with every stage: at a few places where something
      may be expected, and everywhere; as often as the budget allows, and when the tests of a module are over.
    * ``look_again()``: where something was found before; before a claim.
    * ``look_late()``: what says itself when it was changed; pairs of that time, in nanoseconds, and a change.
    * ``begin()``: the test modules are imported, the first test has not begun.
    * ``is_lasting(change)``: whether anybody else will see it; before a claim.
    * ``is_harm_of(owner, change)``: whether it is for this owner to put it back; before a claim.
    * ``can_reach(owner, change)``: whether the owner gets at it at all; asked where it may have been one of several.
    * ``writing_lines(text, first, change)``: the lines of the owner's function that can have written, found by reading.
    * ``lines_of_one_of_several(text, first, change)``: the same, more strictly, where it may have been one of several.
    * ``mentions(text, first, change)``: whether the owner's code at least names what was added.
    * ``is_reset_by_set_up(text, first, change)``: whether the set-up of the owner's class puts it back each time.
    * ``fix_for(owner, text, change)``: the fix in the names that the owner's file, whose source is handed in, has for it.
    * ``level(change)``: the severity of a claim where it is not the check's own.
    * ``code_of(change)``: the check of a claim where it is not the area's own.
    * ``remark``: what it leaves out, for the report.
    """

    name: str
    code: str
    off: str

    def look(self) -> Iterable[Change]:
        """What changed since the last look; the first look takes the baseline and returns nothing."""

    def said(self, change: Change) -> str:
        """How a claim goes on after "left os.environ['TZ'] ": ``set``, ``at /tmp (it was /repo)``; no secret value."""

    def fix(self, change: Change) -> str:
        """One line that names the user's own code: ``monkeypatch.setenv("TZ", ...)``."""

    def settle(self) -> None:
        """Before a claim: give what is about to end by itself (a thread, a process) a moment, if anything is left.

        An area with a true ``settles_by_key`` is handed the keys of the changes that are to be claimed.
        """

    def stop(self) -> None:
        """The run is over."""
