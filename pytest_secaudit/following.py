"""The lines of interest of the tests at hand: known by reading, followed in the run.

What follows them is loaded with the first of them: most suites have few, many have none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_secaudit.proofs import WATCHER, interest
from pytest_secaudit.static import KEY as STATIC
from pytest_secaudit.strangers import names_of
from pytest_secaudit.watch.record import LinesRan

if TYPE_CHECKING:
    from pytest_secaudit.watch.lines import Lines

__all__ = ["WATCHER", "Following"]


class Following:
    """Follows lines, if there are any.

    Args:
        off: why nobody is to follow them, if so.

    Attributes:
        lines: who follows them, once there are some.
    """

    def __init__(self, off: str = "") -> None:
        self._off = off
        self._known: set[tuple[str, bool]] = set()
        self.lines: Lines | None = None

    @property
    def state(self) -> str:
        """``on``, or ``off:`` and why."""
        if self._off:
            return f"off: {self._off}"
        return self.lines.state if self.lines is not None else "on"

    def attend(self, item: pytest.Item) -> None:
        """Look for the code of what was read of the files behind this item and its neighbours."""
        static = item.config.stash.get(STATIC, None)
        if static is None or self._off:
            return
        paths: list[str] = []
        for reading, module in static.stood_on(item):
            own = not paths
            paths.append(reading.path)
            if module is None or (reading.path, own) in self._known:
                continue
            self._known.add((reading.path, own))
            wanted = interest(reading, own=own)
            if wanted:
                self._follower().follow(wanted, names_of(module), own=own)
        if self.lines is not None:
            self.lines.attend(paths)

    def _follower(self) -> Lines:
        from pytest_secaudit.watch.lines import Lines

        if self.lines is None:
            self.lines = Lines()
        return self.lines

    def begin(self, test: str) -> None:
        """The body of a test is about to run."""
        if self.lines is not None:
            self.lines.begin(test)

    def end(self) -> None:
        """It is over."""
        if self.lines is not None:
            self.lines.end()

    def did_not_pass(self, test: str) -> None:
        """The body of the test that ran last failed, or ended as one that was expected to."""
        if self.lines is not None:
            self.lines.did_not_pass(test)

    def drain(self) -> tuple[LinesRan, ...]:
        """What ran since the last time."""
        return self.lines.drain() if self.lines is not None else ()

    def stop(self) -> None:
        """Leave the process as it was."""
        if self.lines is not None:
            self.lines.stop()
