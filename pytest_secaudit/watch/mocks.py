"""Whether there are mocks at all: what watches them at work is loaded with `unittest.mock` or its backport."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_secaudit.watch import real
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.record import Noticed, SimulatedFailure
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

if TYPE_CHECKING:
    from pytest_secaudit.watch.mocks_at_work import MocksAtWork

_MODULES = ("unittest.mock", "mock.mock")


class Mocks:
    """Watches mocks once there are some.

    Args:
        taps: what is put there is taken back by its owner.
        who: tells who acts, and whether in another thread than the one that runs the tests.
        source_of: the text of a file by its path in reports.
        off: why nobody is to watch, if so.

    Attributes:
        at_work: who watches, once there are some.
    """

    def __init__(
        self,
        taps: Taps,
        stack: Stack,
        who: Callable[[], tuple[Actor, bool]],
        source_of: Callable[[str], str],
        off: str = "",
    ) -> None:
        self._off = off
        self._make: Callable[[], MocksAtWork] = lambda: _made(taps, stack, who, source_of)
        self._loaded = 0
        self.at_work: MocksAtWork | None = None
        self.refresh()

    @property
    def state(self) -> str:
        """``on``, or ``off:`` and why."""
        why = self._off or (self.at_work.off if self.at_work is not None else "")
        return f"off: {why}" if why else "on"

    def refresh(self) -> None:
        """Before each test, and after each import: listen, once there is something to listen to."""
        if len(real.modules) == self._loaded or self._off:
            return
        self._loaded = len(real.modules)
        if self.at_work is not None:
            self.at_work.refresh()
        elif any(name in real.modules for name in _MODULES):
            self.at_work = self._make()

    def drain(self) -> tuple[Noticed, ...]:
        """What is new since the last time, of tests that are over."""
        return self.at_work.drain() if self.at_work is not None else ()

    def drain_failures(self) -> tuple[SimulatedFailure, ...]:
        """The simulated failures of tests that are over and passed."""
        return self.at_work.drain_failures() if self.at_work is not None else ()


def _made(
    taps: Taps, stack: Stack, who: Callable[[], tuple[Actor, bool]], source_of: Callable[[str], str]
) -> MocksAtWork:
    from pytest_secaudit.watch.mocks_at_work import MocksAtWork

    return MocksAtWork(taps, stack, who, source_of)
