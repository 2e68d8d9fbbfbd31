"""Mocks at work: what the objects of `unittest.mock`, and of its backport, show at the end of the test that used them.

Assertions that check nothing, patchers that were never started, calls that the real function would have refused, and
failures that were simulated for nobody. Nothing is imported for that; nobody's ``repr``, ``==`` or truth is asked; no
mock is held.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial
from typing import Any

from pytest_secaudit.strangers import bases_of, is_class, is_module, names_of
from pytest_secaudit.watch import real, tapping
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.mocks_at_work.assertions import Assertions
from pytest_secaudit.watch.mocks_at_work.patchers import Patchers
from pytest_secaudit.watch.mocks_at_work.written import SourceLines
from pytest_secaudit.watch.noticing import Noticings
from pytest_secaudit.watch.record import Noticed, SimulatedFailure
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Around, Taps

__all__ = ["MocksAtWork"]

_MODULES = ("unittest.mock", "mock.mock")


class MocksAtWork:
    """Hears of mocks, and says what is wrong with them.

    Args:
        taps: what is put there is taken back by its owner.
        who: tells who acts, and whether in another thread than the one that runs the tests.
        source_of: the text of a file by its path in reports.

    Attributes:
        off: the private names that a module has no more; the rest goes on.
    """

    def __init__(
        self,
        taps: Taps,
        stack: Stack,
        who: Callable[[], tuple[Actor, bool]],
        source_of: Callable[[str], str],
    ) -> None:
        self.off = ""
        self._taps = taps
        self._lines = SourceLines(source_of)
        self._assertions = Assertions(stack, who, self._lines)
        self._patchers = Patchers(stack, who, self._lines)
        self._noticed = Noticings()
        self._heard: dict[str, object] = {}
        self.refresh()

    def refresh(self) -> None:
        """Before each test, and after each import: listen, once there is something to listen to."""
        for name in _MODULES:
            module = real.modules.get(name)
            if module is not self._heard.get(name):
                self._heard[name] = module
                if is_module(module):
                    self._listen(module)  # type: ignore[arg-type]

    def test_ends(self, test: str, *, passed: bool) -> None:
        """The test and its clean-up are over; without a test, what was imported meanwhile."""
        for noticed in self._assertions.news():
            self._noticed.add(noticed)
        for noticed in self._patchers.news(test, passed=passed):
            self._noticed.add(noticed)
        self._lines.forget()

    def drain(self) -> tuple[Noticed, ...]:
        """What is new since the last time, of tests that are over."""
        return self._noticed.drain()

    def drain_failures(self) -> tuple[SimulatedFailure, ...]:
        """The simulated failures of tests that are over and passed."""
        return self._patchers.drain_failures()

    def _listen(self, module: types.ModuleType) -> None:
        mock = _class_of(module, "NonCallableMock")
        if mock is None:
            return  # somebody else's `mock`
        self._patchers.learn(module, mock, (vars(tapping),))
        assertions, patchers = self._assertions, self._patchers
        self._put(module, "NonCallableMock", "_get_child_mock", assertions.around_child)
        for name, method in (("NonCallableMock", "assert_has_calls"), ("AsyncMockMixin", "assert_has_awaits")):
            # By name: what stands there may be a wrapper of pytest-mock's.
            self._put(module, name, method, partial(assertions.around_calls, method))
        self._put(module, "_Call", "__getattr__", assertions.around_record)
        self._put(module, "NonCallableMock", "reset_mock", patchers.around_reset)
        for name in ("_patch", "_patch_dict"):
            self._put(module, name, "__init__", patchers.around_making)
            self._put(module, name, "__call__", patchers.around_using)
        self._put(module, "_patch_dict", "_patch_dict", patchers.around_using)
        self._put(module, "_patch", "get_original", patchers.around_entering)
        self._put(module, "_patch", "__exit__", patchers.around_leaving)

    def _put(self, module: types.ModuleType, name: str, method: str, around: Around) -> None:
        cls = _class_of(module, name)
        if cls is None or not self._taps.put(cls, method, around):
            self.off = f"{names_of(module).get('__name__')} has no {name}.{method} any more"


def _class_of(module: types.ModuleType, name: str) -> Any:
    """The module's own class of this name, also where somebody put a derived one there, as oslotest does."""
    found = names_of(module).get(name)
    if not is_class(found):
        return None
    home = names_of(module).get("__name__")
    return next((base for base in bases_of(found) if names_of(base).get("__module__") == home), found)
