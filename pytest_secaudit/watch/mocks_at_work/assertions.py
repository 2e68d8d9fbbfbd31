"""Assertions of mocks that check nothing: made-up names, and lists of expected calls that are empty.

A mock makes up an attribute in one place, once for each name, and so does the record of a call. What the name means
shows only in the line that asked for it, which is read when the test is over. An assertion that a mock really has
(``m.assert_called_once`` without parentheses) is a method like any other, and nobody sees that it is not called: that
is left to reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any, NamedTuple

from pytest_secaudit.mock_names import (
    ASSERTIONS,
    asked_state,
    is_doubtful,
    is_doubtful_of_record,
    meant,
)
from pytest_secaudit.model import Place
from pytest_secaudit.strangers import names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.engine import owner_of
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.mocks_at_work.written import SourceLines, Written
from pytest_secaudit.watch.record import Noticed
from pytest_secaudit.watch.stack import Stack

__unittest = True

_MOST = 200


class _MadeUp(NamedTuple):
    place: Place
    name: str
    of_record: bool
    actor: Actor


class _Emptied(NamedTuple):
    place: Place
    name: str
    actor: Actor
    function: str


class Assertions:
    """Hears of what mocks make up, and of expectations that are empty.

    Args:
        who: tells who acts, and whether in another thread than the one that runs the tests.
    """

    def __init__(self, stack: Stack, who: Callable[[], tuple[Actor, bool]], lines: SourceLines) -> None:
        self._stack = stack
        self._who = who
        self._lines = lines
        self._made_up: dict[_MadeUp, None] = {}
        self._emptied: dict[_Emptied, tuple[CodeType, int]] = {}
        self._filled: set[tuple[CodeType, int]] = set()

    # --- acts

    def around_child(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        child = original(*args, **kwargs)
        try:
            name = kwargs.get("name")  # none for what a call returns
            if type(name) is str and is_doubtful(name):
                self._child(args[0], name, kwargs)
        except Exception:  # no affair of theirs
            pass
        return child

    def _child(self, parent: object, name: str, kwargs: Mapping[str, Any]) -> None:
        known: Any = names_of(parent)
        allowed = known.get("_mock_methods")
        if kwargs.get("wraps") is None and (type(allowed) is not list or name not in allowed):
            self._ask(name, of_record=False)

    def around_record(self, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        __tracebackhide__ = True
        made = original(*args, **kwargs)
        with suppress(Exception):
            name = args[1]
            if type(name) is str and is_doubtful_of_record(name) and _is_record(args[0]):
                self._ask(name, of_record=True)
        return made

    def _ask(self, name: str, *, of_record: bool) -> None:
        frame: FrameType | None = real.getframe(2)
        while frame is not None and (frame.f_code.co_name == "__getattr__" or self._stack.kind(frame) == "machinery"):
            frame = frame.f_back  # also one that a class derived from a mock has
        site = self._stack.of(frame)
        if site.edit is not None and site.written_at == site.edit and len(self._made_up) < _MOST:  # not the product
            self._made_up[_MadeUp(site.edit, name, of_record, self._who()[0])] = None

    def around_calls(
        self, name: str, original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        __tracebackhide__ = True
        result = original(*args, **kwargs)  # what fails is no danger
        with suppress(Exception):
            expected = args[1] if len(args) > 1 else kwargs["calls"]
            if issubclass(type(expected), (list, tuple)):
                is_empty = not (list if issubclass(type(expected), list) else tuple).__len__(expected)
                self._expected(name, real.getframe(1), is_empty=is_empty)
        return result

    def _expected(self, name: str, frame: FrameType | None, *, is_empty: bool) -> None:
        while frame is not None and self._stack.kind(frame) == "machinery":
            frame = frame.f_back
        if frame is None or self._stack.kind(frame) != "test":
            return
        at = (frame.f_code, frame.f_lasti)
        if not is_empty:
            self._filled.add(at)
            return
        place = self._stack.of(frame).edit
        if place is not None and len(self._emptied) < _MOST:
            self._emptied[_Emptied(place, name, self._who()[0], frame.f_code.co_name)] = at

    # --- the test is over

    def news(self) -> Iterator[Noticed]:
        """What the lines that were heard of say."""
        made_up, self._made_up = self._made_up, {}
        emptied, self._emptied = self._emptied, {}
        filled, self._filled = self._filled, set()
        for one in made_up:
            written = self._lines.attribute(one.place, one.name)
            noticed = _of_made_up(one, written) if written is not None else None
            if noticed is not None:
                yield noticed
        for empty, at in emptied.items():
            written = self._lines.call(empty.place, empty.name)
            if written is not None and at not in filled and (written.is_empty or _is_of_one_test(empty)):
                yield _of_emptied(empty, written)


def _is_record(found: object) -> bool:
    """Whether a mock made it; ``mock.call`` and what is made of it are there to be asked for any name."""
    known = names_of(found)
    return known.get("_mock_name") is None and known.get("_mock_from_kall") is True


def _of_made_up(one: _MadeUp, written: Written) -> Noticed | None:
    name, text, receiver = one.name, written.text, written.receiver
    if name in ASSERTIONS and written.use != "called":
        idle = "is always true" if written.use == "judged" else "does nothing"
        message = f"{text} is not called: as it stands it {idle}"
        return _noticed("PSA001", one, written, message, f"call it as a statement of its own: {text}({_given(name)})")
    if written.use == "bare":
        return None
    if one.of_record:
        message = f"{receiver} is the record of a call: it takes any name, and {name} checks nothing"
        return _noticed("PSA002", one, written, message, f"compare it: assert {receiver} == mock.call(...)")
    right = name if name in ASSERTIONS else meant(name) or asked_state(name)
    if written.use == "judged":
        if not asked_state(name):
            return None
        message = f"{text} is a made-up attribute of a mock, and always true"
    elif meant(name) or name in ASSERTIONS:
        message = f"{text} is no assertion of a mock, which takes any name and checks nothing"
    else:
        return None  # a method of theirs, such as `was_called()`
    fix = f"use {receiver}.{right}({_given(right)})" if right != name else f"use a mock that has it: {text} is made up"
    return _noticed("PSA002", one, written, message, fix)


def _given(name: str) -> str:
    return "..." if name.endswith(("_with", "_call", "_calls", "_await", "_awaits")) else ""


def _is_of_one_test(empty: _Emptied) -> bool:
    """Whether the list was empty for no other reason: a helper, or another parameter, may well expect nothing."""
    test = empty.actor.id.rpartition("::")[2]
    return empty.actor.kind == "test" and test == empty.function


def _of_emptied(empty: _Emptied, written: Written) -> Noticed:
    never = "assert_not_awaited" if empty.name == "assert_has_awaits" else "assert_not_called"
    return _noticed(
        "PSA003",
        empty,
        written,
        f"{written.text} expects no call in particular, which holds for every history",
        f"say what is expected, or that nothing is: {written.receiver}.{never}()",
    )


def _noticed(code: str, one: _MadeUp | _Emptied, written: Written, message: str, fix: str) -> Noticed:
    return Noticed(
        code=code,
        subject=written.identity,
        message=message,
        fix=fix,
        owner=owner_of(one.actor),
        place=written.place,
        written_at=one.place,
    )
