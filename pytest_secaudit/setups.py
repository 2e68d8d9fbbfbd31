"""Fixtures that pytest sets up while a block is open: what they change, they will put back in their own time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

import pytest

#: The hook within which a test is set up, run and taken down, and what its argument is called.
_PROTOCOL, _ITEM = "pytest_runtest_protocol", "item"

#: Says that somebody else acts, who has this name.
SomebodyElse = Callable[[str], AbstractContextManager[None]]


class SetUps:
    """Hears of them while it is registered."""

    def __init__(self, somebody_else: SomebodyElse) -> None:
        self._somebody_else = somebody_else

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        with self._somebody_else(fixturedef.argname):
            return (yield)


def follow(somebody_else: SomebodyElse, frame: FrameType | None) -> Callable[[], None]:
    """Hear of the fixtures of the run that this frame belongs to, until what is returned is called."""
    config = _config_of(frame)
    if config is None:
        return _nothing
    plugin = SetUps(somebody_else)
    config.pluginmanager.register(plugin, f"secaudit-block-{id(plugin)}")
    return lambda: config.pluginmanager.unregister(plugin) and None


def _config_of(frame: FrameType | None) -> pytest.Config | None:
    """The innermost run whose test is on the stack; None in other threads, and where no test runs."""
    while frame is not None:
        item = frame.f_locals.get(_ITEM) if frame.f_code.co_name == _PROTOCOL else None
        if isinstance(item, pytest.Item):
            return item.config
        frame = frame.f_back
    return None


def _nothing() -> None:
    """Nobody is heard of."""
