"""Context variables: those of the project count, a library's do not."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import types
from collections.abc import Callable

import pytest

from pytest_secaudit.watch.areas.contexts import ContextVars
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change, Held
from pytest_secaudit.watch.tapping import Taps

USER: contextvars.ContextVar[object] = contextvars.ContextVar("user")
LEVEL: contextvars.ContextVar[object] = contextvars.ContextVar("level", default=1)


class Holder:
    inner: contextvars.ContextVar[object] = contextvars.ContextVar("inner", default=None)


def within(act: Callable[[ContextVars], None]) -> None:
    """In a context of its own, so that this test leaves nothing in that of the run."""
    area = ContextVars(Taps(), Stack(str, str.isdigit), is_project=lambda module: module.__name__ == __name__)

    def run() -> None:
        assert not area.look()
        assert not area.look()
        act(area)

    contextvars.copy_context().run(run)


def test_a_value_that_is_left_and_one_that_is_put_back() -> None:
    def act(area: ContextVars) -> None:
        token = USER.set("alice")
        (change,) = area.look()
        assert (change.subject, change.before) == ("contextvar user", ABSENT)
        assert area.said(change) == "set to a str (it was not set)"
        assert area.fix(change).startswith("token = USER.set(...), and USER.reset(token)")
        assert not area.look()
        USER.reset(token)
        assert area.look() == [Change("contextvar user", change.after, ABSENT, key=change.key)]

    within(act)


def test_none_is_as_good_as_nothing_and_a_default_as_the_value() -> None:
    def act(area: ContextVars) -> None:
        USER.set(None)
        LEVEL.set(1)
        assert not area.look()
        LEVEL.set(True)
        (change,) = area.look()
        assert area.said(change) == "set to a bool (it was an int)"
        LEVEL.set(1)
        assert [(back.before, back.after) for back in area.look()] == [(change.after, change.before)]

    within(act)


def test_objects_are_told_apart_by_identity_and_never_asked() -> None:
    class Hostile:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError

        __hash__ = None  # type: ignore[assignment]
        __repr__ = None  # type: ignore[assignment]

    def act(area: ContextVars) -> None:
        one, other = Hostile(), Hostile()
        Holder.inner.set(one)
        (change,) = area.look()
        assert area.fix(change).startswith("token = Holder.inner.set(...), and Holder.inner.reset(token)")
        assert change.after == Held(one)
        Holder.inner.set(other)
        (change,) = area.look()
        assert (change.before, change.after) == (Held(one), Held(other))
        assert area.said(change) == "set to a Hostile (it was a Hostile)"
        Holder.inner.set(other)
        assert not area.look()
        Holder.inner.set(None)
        assert area.said(area.look()[0]) == "unset (it was a Hostile)"

    within(act)


def test_variables_that_nobody_under_the_rootdir_holds_are_silent() -> None:
    def act(area: ContextVars) -> None:
        contextvars.ContextVar[int]("somebody else's").set(3)
        assert not area.look()
        assert not area.look()

    within(act)


def test_a_variable_is_found_once_its_module_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    late: contextvars.ContextVar[int] = contextvars.ContextVar("late")
    module = types.ModuleType(__name__)
    vars(module).update(late=late)

    def act(area: ContextVars) -> None:
        late.set(3)
        assert not area.look()
        monkeypatch.setitem(sys.modules, "secaudit_tests_late", module)
        late.set(4)
        assert [change.key for change in area.look()] == ["secaudit_tests_late:late"]

    within(act)


def test_what_a_task_or_a_copied_context_sets_stays_there() -> None:
    async def main() -> None:
        USER.set("bob")

    def act(area: ContextVars) -> None:
        asyncio.run(main())
        contextvars.copy_context().run(USER.set, "eve")
        assert not area.look()

    within(act)
