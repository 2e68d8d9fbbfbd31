"""Patches that are still in force: of `unittest.mock` in every form, of `pytest.MonkeyPatch`, of the `fixtures` package.

A patch that was opened and is not undone is a debt. Each kind tells the register what comes into force and what ends;
nothing is imported for that, and nothing is listened to before the module in question is loaded by somebody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pytest_secaudit.model import Place
from pytest_secaudit.watch import real
from pytest_secaudit.watch.patches import fixtures_package, mocks, monkeys
from pytest_secaudit.watch.patches.register import WRONG_ORDER, Kind, Register, Where
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

_KINDS: dict[str, Kind] = {kind.word: kind for kind in (*mocks.KINDS, *monkeys.KINDS, *fixtures_package.KINDS)}


class Patches:
    """The patches in force."""

    name = "patches"
    code = "PSA510"

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self._register = Register(stack)
        self._monkeys = monkeys.Monkeys(taps, stack, self._register)
        self._ways: tuple[mocks.Mocks | monkeys.Monkeys | fixtures_package.Fixtures, ...] = (
            *(mocks.Mocks(module, taps, stack, self._register) for module in mocks.MODULES),
            self._monkeys,
            fixtures_package.Fixtures(taps, stack, self._register),
        )
        self._loaded = 0
        self._has_baseline = False
        self._refresh()

    @property
    def off(self) -> str:
        """What cannot be watched in this version of a library; the rest goes on."""
        return "; ".join(way.off for way in self._ways if way.off)

    def _refresh(self) -> None:
        self._loaded = len(real.modules)
        for way in self._ways:
            way.refresh()

    @property
    def stirred(self) -> Sequence[object]:
        return (*self._register.stirred, self._monkeys.moved)

    def look(self) -> Iterable[Change]:
        if len(real.modules) != self._loaded:
            self._refresh()
        self._monkeys.poll()
        if not self._has_baseline:
            self._has_baseline = True
            self._register.take_baseline()
            return ()
        return self._register.news()

    def is_lasting(self, change: Change) -> bool:
        """Asked before a claim: whether later tests are concerned. From then on the patcher is held no longer."""
        return change.after != ABSENT and self._register.is_lasting(change.key)

    def tell(self, listener: Callable[[Kind, Any, Where], None] | None) -> None:
        """Tell the listener of each patch that comes into force from now on; None ends that."""
        self._register.heard_by = listener

    def place_of(self, where: Where) -> Place | None:
        """The line to edit for a patch that was made there."""
        site = self._register.site_of(where)
        return site.edit or site.written_at if site is not None else None

    def patcher(self, change: Change) -> object:
        """What made a patch that is in force; None once it is gone."""
        told = self._register.told_of(change.key)
        return None if told is None else told.held.value

    def said(self, change: Change) -> str:
        return self._register.said(change)

    def fix(self, change: Change) -> str:
        said = self.said(change)
        if said == WRONG_ORDER:
            return f"stop the patchers of {change.subject} in reverse order, by addCleanup or an ExitStack"
        return _KINDS[change.key.partition(" ")[0]].fix(change.subject, said)

    def settle(self) -> None:
        """What was put right by hand needs no claim."""
        self._register.settle()

    def stop(self) -> None:
        self._monkeys.stop()
        self._register.stop()
