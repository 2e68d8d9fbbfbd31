"""Hears of the `fixtures` package: `fixtures.MonkeyPatch` and `fixtures.EnvironmentVariable`.

Their ``_setUp`` is listened to; the end is a clean-up that we add to theirs, so that every way of cleaning up is heard.
`fixtures.MockPatch` and its kin start patchers of `unittest.mock`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from pytest_secaudit.strangers import is_class
from pytest_secaudit.watch import real
from pytest_secaudit.watch.patches.acts import Act, ActKind, undone
from pytest_secaudit.watch.patches.register import QUIETLY, Register
from pytest_secaudit.watch.patches.targets import NOTHING, along, raw
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

__unittest = True

_MONKEYPATCH = "fixtures._fixtures.monkeypatch"
_ENVIRON = "fixtures._fixtures.environ"


class Fixtures:
    """Listens to the two classes.

    Attributes:
        off: the private name that the package has no more.
    """

    def __init__(self, taps: Taps, stack: Stack, register: Register) -> None:
        self.off = ""
        self._taps = taps
        self._stack = stack
        self._register = register
        self._heard: dict[str, object] = {}

    def refresh(self) -> None:
        """Listen, once they are there."""
        for module, name, around in (
            (_MONKEYPATCH, "MonkeyPatch", self._patching),
            (_ENVIRON, "EnvironmentVariable", self._setting),
        ):
            cls = raw(real.modules.get(module), name)
            if module in real.modules and cls is not self._heard.get(module):
                self._heard[module] = cls
                if not is_class(cls) or not self._taps.put(cls, "_setUp", around):
                    self.off = f"fixtures.{name} has no _setUp any more"

    def _patching(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        before = NOTHING
        with QUIETLY:
            before = along(args[0].name)
        result = original(*args, **kwargs)
        with QUIETLY:
            self._patched(args[0], before)
        return result

    def _patched(self, fixture: Any, before: object) -> None:
        path, _, attribute = fixture.name.rpartition(".")
        target = along(path)
        if target is not NOTHING:
            removed = fixture.new_value is fixture.delete
            act = Act(target, attribute, before, removed=removed)
            self._note(fixture, _ATTRIBUTE, act, attribute)

    def _setting(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)
        with QUIETLY:
            fixture = args[0]
            act = Act(os.environ, fixture.varname, NOTHING, removed=fixture.newvalue is None)
            self._note(fixture, _VARIABLE, act, "")
        return result

    def _note(self, fixture: Any, kind: ActKind, act: Act, name: str) -> None:
        fixture.addCleanup(undone, self._register, act)
        self._register.open(kind, act, name, self._stack.site())


def _fix_attribute(subject: str, _said: str) -> str:
    return f'self.useFixture(fixtures.MonkeyPatch("{subject}", ...))'


def _fix_variable(subject: str, _said: str) -> str:
    return f"self.useFixture(fixtures.EnvironmentVariable({subject.partition('[')[2][:-1] or '...'}, ...))"


_ATTRIBUTE: Final = ActKind("fixtures", "attribute", _fix_attribute)
_VARIABLE: Final = ActKind("fixtures", "item", _fix_variable)
KINDS: Final = (_ATTRIBUTE, _VARIABLE)
