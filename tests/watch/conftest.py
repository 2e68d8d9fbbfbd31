"""No test of the watch leaves a tap behind: the next one would find it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_secaudit.watch.tapping import Taps


@pytest.fixture(autouse=True)
def _taps_are_taken_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made: list[Taps] = []
    make = Taps.__init__

    def noted(taps: Taps) -> None:
        made.append(taps)
        make(taps)

    monkeypatch.setattr(Taps, "__init__", noted)
    yield
    assert not [taps for taps in made if taps._taps]
