"""When the body of a unittest test begins: set-up, body, tear-down and clean-ups all run inside pytest's one call.

unittest runs each part inside ``_Outcome.testPartExecutor``, a context manager: hearing of it adds no frame to the
test's own stack. testtools runs the body by ``TestCase._run_test_method``. Both names are private: where they are gone
(or a framework has its own way), set-up and body are not told apart, and the test is the owner of both.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from pytest_secaudit.watch.tapping import Taps

__unittest = True


class Parts:
    """Calls back once per test, right before its body.

    Args:
        on_body: called in the thread of the test.
    """

    def __init__(self, taps: Taps, on_body: Callable[[], None]) -> None:
        self._taps = taps
        self._on_body = on_body
        self._case: object | None = None
        self._parts = 0
        self._plain = self._testtools = False

    def refresh(self) -> None:
        """Take in frameworks that were imported since."""
        if not self._plain:
            outcome = getattr(sys.modules.get("unittest.case"), "_Outcome", None)
            self._plain = outcome is not None and self._taps.put(outcome, "testPartExecutor", self._part_begins)
        if not self._testtools and "testtools" in sys.modules:
            case = getattr(sys.modules["testtools"], "TestCase", None)
            self._testtools = isinstance(case, type) and self._taps.put(case, "_run_test_method", self._body_begins)

    def tells(self, cls: type) -> bool:
        """Whether the parts of this class's tests will be told apart."""
        self.refresh()
        for base in cls.__mro__:
            if "run" in vars(base):
                if base.__module__ == "unittest.case":
                    return self._plain
                if base.__module__.startswith("testtools."):
                    return self._testtools
        return False

    def begin(self) -> None:
        """A test is about to be called."""
        self._parts = 0
        self._case = None

    def _part_begins(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        if len(args) > 1 and not kwargs.get("subTest"):
            self._count(args[1])
        return original(*args, **kwargs)

    def _count(self, case: object) -> None:
        if self._case is None:
            self._case = case
        if case is self._case:
            self._parts += 1
            if self._parts == 2:
                self._on_body()

    def _body_begins(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        self._parts += 1
        if self._parts == 1:
            self._on_body()
        return original(*args, **kwargs)
