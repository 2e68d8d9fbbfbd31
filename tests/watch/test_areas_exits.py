"""Functions left for the interpreter's exit: a test's count, a library's and a product's do not."""

from __future__ import annotations

import atexit
import gc
import sys
import types
import weakref
from collections.abc import Callable, Iterator

import pytest

from pytest_secaudit.watch.areas.exits import Exits
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps


def clean_up() -> None: ...


@pytest.fixture
def area() -> Iterator[Exits]:
    taps = Taps()
    area = Exits(taps, Stack(str, lambda path: path == __file__))
    assert not area.look()
    yield area
    taps.take_back()
    atexit.unregister(clean_up)


def test_a_registration_is_seen_with_its_line_and_its_end(area: Exits) -> None:
    assert atexit.register(clean_up, 1, key=2) is clean_up
    wrote = sys._getframe().f_lineno - 1
    (change,) = area.look()
    assert (change.subject, change.before) == (f"atexit.register({__name__}.clean_up)", ABSENT)
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == wrote
    assert (area.said(change), area.code) == ("registered", "PSA103")
    assert area.fix(change) == "atexit.unregister(clean_up) in a finally, or after the fixture's yield"
    assert not area.look()
    atexit.unregister(clean_up)
    assert area.look() == [Change(change.subject, change.after, ABSENT, key=change.key)]
    assert not area.look()


class Resources:
    def __init__(self) -> None:
        atexit.register(self.close)

    def close(self) -> None: ...


def test_the_fix_says_it_as_the_code_does(area: Exits) -> None:
    resources = Resources()
    items = [1]
    atexit.register(items.clear)
    atexit.register(gc.collect)
    atexit.register([].clear)
    fixes = [area.fix(change).partition(" in a finally")[0] for change in area.look()]
    assert fixes == [
        "atexit.unregister(self.close)",
        "atexit.unregister(items.clear)",
        "atexit.unregister(gc.collect)",
        "atexit.unregister(what was registered)",
    ]
    for function in (resources.close, items.clear, gc.collect, [].clear):
        atexit.unregister(function)


def test_unregistered_before_anybody_looked(area: Exits) -> None:
    atexit.register(clean_up)
    atexit.register(clean_up)
    atexit.unregister(clean_up)
    assert not area.look()


def test_two_of_one_name_are_two_things_and_one_call_ends_both(area: Exits) -> None:
    atexit.register(clean_up)
    atexit.register(clean_up)
    keys = {change.key for change in area.look()}
    assert len(keys) == 2
    atexit.unregister(print)
    assert not area.look()
    atexit.unregister(clean_up)
    assert {change.key for change in area.look()} == keys


def test_as_a_decorator_and_with_a_method(area: Exits) -> None:
    @atexit.register
    def decorated() -> None: ...

    assert callable(decorated)
    items = [1]
    atexit.register(items.clear)
    atexit.register(area.settle)
    assert len(area.look()) == 3
    for function in (items.clear, area.settle, decorated):
        atexit.unregister(function)
    assert [change.after for change in area.look()] == [ABSENT] * 3


def test_the_registrations_of_libraries_and_products_are_theirs(area: Exits) -> None:
    product = types.ModuleType("shop")
    text = "import atexit\ndef start(end): atexit.register(end)"
    exec(compile(text, "/shop/__init__.py", "exec"), vars(product))
    ends: list[Callable[..., object]] = [product.start, sys.getsizeof]
    for end in ends:
        product.start(end)
    assert not area.look()
    product.start(clean_up)
    assert [change.subject for change in area.look()] == [f"atexit.register({__name__}.clean_up)"]
    for end in ends:
        atexit.unregister(end)


def test_what_the_standard_library_registers_for_itself_is_silent(area: Exits) -> None:
    class Thing: ...

    thing = Thing()
    finalizer = weakref.finalize(thing, clean_up)
    assert not area.look()
    finalizer.detach()


def test_calls_that_fail_raise_as_ever(area: Exits) -> None:
    with pytest.raises(TypeError):
        atexit.register(None)  # type: ignore[type-var]
    with pytest.raises(TypeError):
        atexit.register()  # type: ignore[call-arg]
    assert not area.look()


def test_a_callable_with_a_mind_of_its_own(area: Exits) -> None:
    class Hostile:
        def __call__(self) -> None: ...
        def __eq__(self, other: object) -> bool:
            return self is other

        __hash__ = None  # type: ignore[assignment]

        def __getattr__(self, name: str) -> object:
            raise RuntimeError(name)

    hostile = Hostile()
    atexit.register(hostile)
    assert len(area.look()) == 1
    atexit.unregister(hostile)
    assert len(area.look()) == 1


def test_all_are_gone_when_somebody_clears_them(area: Exits, monkeypatch: pytest.MonkeyPatch) -> None:
    from pytest_secaudit.watch.areas import exits

    atexit.register(clean_up)
    area.look()
    monkeypatch.setattr(exits, "_callbacks", lambda: 0)
    assert [change.after for change in area.look()] == [ABSENT]
    assert not area.look()
