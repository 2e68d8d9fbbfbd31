"""Waiting for what is about to end by itself: a moment per claim, little in the whole run, none for what never ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_secaudit.watch import real

_MOMENT = 0.3
_IN_ALL = 2.0
_STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01)


class Patience:
    """What is left of it in this run."""

    def __init__(self) -> None:
        self._left = _IN_ALL
        self._hopeless: set[str | None] = set()

    def wait(self, alive: Callable[[], Iterable[Any]], names: Mapping[Any, str]) -> None:
        """Wait until none of these is alive any more.

        Args:
            alive: tells which still are.
            names: what each is called; of a name that was waited for in vain once nothing is expected again.
        """
        began = real.perf_counter()
        until = began + min(_MOMENT, self._left)
        step = 0
        while hopeful := [one for one in alive() if names.get(one) not in self._hopeless]:
            if real.perf_counter() >= until:
                self._hopeless.update(names[one] for one in hopeful if one in names)
                break
            real.sleep(_STEPS[min(step, len(_STEPS) - 1)])
            step += 1
        self._left -= real.perf_counter() - began
