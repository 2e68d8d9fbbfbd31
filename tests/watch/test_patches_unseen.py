"""Nobody can tell that patches are watched: not by a traceback, nor by a strange target, nor afterwards."""

from __future__ import annotations

import difflib
import inspect
import os
import re
import sys
import threading
import types
import unittest
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps, original_of

SHOP = "secaudit_unseen"


def listening() -> tuple[Taps, Patches]:
    taps = Taps()
    return taps, Patches(taps, Stack(os.path.basename, lambda path: path == __file__))


@pytest.fixture
def area(monkeypatch: pytest.MonkeyPatch) -> Iterator[Patches]:
    monkeypatch.setitem(sys.modules, SHOP, types.ModuleType(SHOP))
    taps, area = listening()
    assert not area.look()
    yield area
    taps.take_back()
    area.stop()


def look(area: Patches) -> list[Change]:
    """A look, with everything a claim would ask."""
    changes = list(area.look())
    for change in changes:
        if change.before == ABSENT:
            area.said(change)
            area.fix(change)
            area.settle()
            area.is_lasting(change)
    return changes


# --- what pytest prints of a failure

PLUGIN = """
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps
import pytest

def pytest_configure(config):
    config.taps = Taps()
    config.patches = Patches(config.taps, Stack(str, lambda path: "test_" in path))
    config.patches.look()

def pytest_unconfigure(config):
    config.taps.take_back()
    config.patches.stop()

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    item.config.patches.look()
    try:
        return (yield)
    finally:
        item.config.patches.look()
"""

FAILING = """
import contextlib, logging, unittest, warnings
from unittest import mock
import pytest

def test_with():
    with mock.patch("os.nowhere"):
        pass

@mock.patch("os.nowhere")
def test_decorator(nowhere):
    pass

def test_start():
    mock.patch("os.nowhere").start()

def test_object():
    with mock.patch.object(object(), "nowhere"):
        pass

def test_multiple():
    with mock.patch.multiple("os", getcwd=1, nowhere=2):
        pass

def test_body():
    with mock.patch("os.getcwd"):
        assert 1 == 2

@mock.patch("os.getcwd")
def test_decorated_body(getcwd):
    assert getcwd() == 2

def test_exit():
    patcher = mock.patch("os.getcwd")
    with contextlib.ExitStack() as stack:
        stack.enter_context(patcher)
        patcher.__exit__(None, None, None)

def test_dict():
    with mock.patch.dict("os.environ", {"SECAUDIT": 1}):
        pass

def test_undo():
    monkey = pytest.MonkeyPatch()
    Stuck = type("Stuck", (), {"x": 1, "__delattr__": lambda self, name: self.stuck})
    monkey.setattr(Stuck(), "x", 2)
    try:
        monkey.undo()
    finally:
        monkey._setattr.clear()

class TestSetUp(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("os.nowhere")
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_it(self):
        pass

class TestAsync(unittest.IsolatedAsyncioTestCase):
    @mock.patch("os.nowhere")
    async def test_it(self, nowhere):
        pass
"""

CHANGING = re.compile(r"in \d+\.\d+s|0x[0-9a-f]+|id='\d+'|Task-\d+|^plugins: .*|rootdir: .*", re.MULTILINE)


@pytest.mark.parametrize("style", ["auto", "long", "short", "line"])
def test_failures_look_the_same(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, style: str) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(test_failing=FAILING, secaudit_listener=PLUGIN)
    pytester.syspathinsert()
    options = (f"--tb={style}", "-p", "no:cacheprovider")
    plain = pytester.runpytest_inprocess(*options)
    watched = pytester.runpytest_inprocess(*options, "-p", "secaudit_listener")
    shown, wanted = (CHANGING.sub("", run.stdout.str()).splitlines() for run in (watched, plain))
    assert "\n".join(difflib.unified_diff(wanted, shown, lineterm="")) == ""
    assert plain.ret == watched.ret == 1
    assert "nowhere" in plain.stdout.str()


def test_the_exception_is_the_same(area: Patches) -> None:
    with pytest.raises(AttributeError, match="does not have the attribute 'nowhere'") as caught:
        mock.patch("os.nowhere").start()
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert look(area) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_passes(area: Patches, error: type[BaseException]) -> None:
    def raising() -> None:
        raise error

    with pytest.raises(error):
        mock.patch("os.getcwd", new_callable=raising).start()
    assert look(area) == []


def test_it_looks_as_it_did(area: Patches) -> None:
    assert str(inspect.signature(mock._patch.__enter__)) == "(self)"  # type: ignore[attr-defined]
    assert mock._patch.__exit__.__qualname__ == "_patch.__exit__"  # type: ignore[attr-defined]
    assert mock._patch.__enter__.__doc__ == "Perform the patch."  # type: ignore[attr-defined]
    assert list(inspect.signature(pytest.MonkeyPatch).parameters) == []
    assert inspect.signature(pytest.MonkeyPatch.__init__).return_annotation in (None, "None")


def tapped() -> list[object]:
    classes = (mock._patch, mock._patch_dict)  # type: ignore[attr-defined]
    found = [vars(cls)[name] for cls in classes for name in ("__enter__", "__exit__")]
    return [*found, vars(pytest.MonkeyPatch)["__init__"]]


def test_everything_is_given_back() -> None:
    before = tapped()
    taps, area = listening()
    assert all(original_of(one) is not one for one in tapped())
    taps.take_back()
    area.stop()
    assert all(one is other for one, other in zip(before, tapped(), strict=True))


def test_a_run_within_a_run(area: Patches) -> None:
    with mock.patch(f"{SHOP}.a", 1, create=True):
        assert [change.subject for change in look(area)] == [f"{SHOP}.a"]
        taps, inner = listening()
        try:
            assert look(inner) == []
            with mock.patch(f"{SHOP}.b", 1, create=True):
                assert [change.subject for change in look(inner)] == [f"{SHOP}.b"]
                assert look(area) == []
            assert [change.after for change in look(inner)] == [ABSENT]
        finally:
            taps.take_back()
            inner.stop()
    assert [(change.subject, change.after) for change in look(area)] == [(f"{SHOP}.a", ABSENT)]


def test_stopped_in_a_run_within_the_run(area: Patches) -> None:
    """Nobody told us, but the patcher knows."""
    vars(sys.modules[SHOP])["a"] = 0
    patcher = mock.patch(f"{SHOP}.a", 1)
    patcher.start()
    (change,) = area.look()
    taps, inner = listening()
    patcher.stop()
    taps.take_back()
    inner.stop()
    area.settle()
    assert [paid.key for paid in area.look()] == [change.key]


def test_stopped_in_a_run_within_the_run_before_a_look(area: Patches) -> None:
    vars(sys.modules[SHOP])["a"] = 0
    patcher = mock.patch(f"{SHOP}.a", 1)
    patcher.start()
    taps, inner = listening()
    patcher.stop()
    taps.take_back()
    inner.stop()
    assert area.look() == []


def test_what_pytest_does_itself_is_nobodys_debt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, SHOP, types.ModuleType(SHOP))
    taps = Taps()
    area = Patches(taps, Stack(str, lambda path: False))
    machinery = compile("def act(): patcher.start(); monkey.setattr(target, 'a', 2)", unittest.__file__, "exec")
    vars(sys.modules[SHOP])["a"] = 0
    patcher, monkey = mock.patch(f"{SHOP}.a", 1), pytest.MonkeyPatch()
    names: dict[str, Any] = {"patcher": patcher, "monkey": monkey, "target": sys.modules[SHOP]}
    exec(machinery, names)
    try:
        assert look(area) == []
        thread = threading.Thread(target=names["act"])  # below it is nobody else
        thread.start()
        thread.join()
        assert look(area) == []
        monkey.undo()
        patcher.stop()
        assert look(area) == []
    finally:
        taps.take_back()
        area.stop()


def test_it_is_not_asked_for_before_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "unittest.mock")
    monkeypatch.delitem(sys.modules, "mock.mock", raising=False)
    taps, area = listening()
    try:
        assert look(area) == []
        assert "unittest.mock" not in sys.modules
        assert area.off == ""
    finally:
        taps.take_back()
        area.stop()


# --- strange targets

CODE = """
class Proxy:
    '''As the lazy objects of Django and Werkzeug.'''
    touched = []
    @property
    def __class__(self): self.touched.append("class"); raise RuntimeError("touched")
    @property
    def __dict__(self): self.touched.append("dict"); raise AttributeError("touched")
    def __getattr__(self, name):
        self.touched.append(name)
        if name in ("patched", "__dict__"): raise AttributeError(name)
        raise RuntimeError("touched")
    def __setattr__(self, name, value): pass
    def __delattr__(self, name): pass
    def __eq__(self, other): raise RuntimeError("touched")
    def __hash__(self): raise RuntimeError("touched")
    def __bool__(self): raise RuntimeError("touched")
    def __repr__(self): raise RuntimeError("touched")

class Meta(type):
    def __getattribute__(cls, name):
        if name in ("patched", "__dict__"): return type.__getattribute__(cls, name)
        raise RuntimeError("touched")
    def __eq__(cls, other): raise RuntimeError("touched")
    def __hash__(cls): return 1
    def __repr__(cls): raise RuntimeError("touched")

class Strange(metaclass=Meta):
    patched = 1

class Slots:
    __slots__ = ("patched",)
    def __init__(self): self.patched = 1

class Property:
    value = 1
    @property
    def patched(self): return self.value
    @patched.setter
    def patched(self, value): self.value = value
    @patched.deleter
    def patched(self): del self.value

class Value:
    '''A value that must not be touched.'''
    __eq__ = __hash__ = __bool__ = __repr__ = None
    @property
    def __class__(self): raise RuntimeError("touched")

class Holder:
    patched = 1

proxy, slots, prop, value, holder = Proxy(), Slots(), Property(), Value(), Holder()
"""


@pytest.fixture
def strange(area: Patches) -> Any:
    module = sys.modules[SHOP]
    exec(CODE, vars(module))
    return module


def test_a_proxy_is_not_touched(area: Patches, strange: Any) -> None:
    patcher = mock.patch.object(strange.proxy, "patched", 2, create=True)
    patcher.__enter__()
    assert strange.Proxy.touched, "by the patcher itself"
    strange.Proxy.touched.clear()
    (change,) = look(area)
    assert change.subject == f"{SHOP}.proxy.patched"
    assert change.after == "replaced by a mock"
    assert strange.Proxy.touched == []


def test_a_strange_class(area: Patches, strange: Any) -> None:
    with mock.patch.object(strange.Strange, "patched", 2):
        assert [change.subject for change in look(area)] == [f"{SHOP}.Strange.patched"]
    assert [change.after for change in look(area)] == [ABSENT]


@pytest.mark.parametrize("name", ["slots", "prop"])
def test_what_the_instance_does_not_hold(area: Patches, strange: Any, name: str) -> None:
    """Nothing is known of its value: the patcher is believed."""
    target = getattr(strange, name)
    with mock.patch.object(target, "patched", 2):
        assert [change.subject for change in look(area)] == [f"{SHOP}.{name}.patched"]
        area.settle()
        assert look(area) == []
    assert [change.after for change in look(area)] == [ABSENT]


def test_a_value_is_not_touched(area: Patches, strange: Any) -> None:
    with mock.patch.object(strange.holder, "patched", strange.value):
        (change,) = look(area)
    assert (change.subject, change.after) == (f"{SHOP}.holder.patched", "replaced by a Value")


def test_a_value_replaced_by_itself(area: Patches, strange: Any) -> None:
    with mock.patch(f"{SHOP}.value", strange.value):
        assert len(look(area)) == 1
        assert [change.after for change in look(area)] == [ABSENT], "when a claim is near, it turns out to be nothing"


def test_a_mock_that_lies_about_its_class(area: Patches, strange: Any) -> None:
    strange.fake = mock.MagicMock(spec=type)
    with mock.patch.object(strange.fake, "mro", 1), mock.patch(f"{SHOP}.fake.mro", 2):
        assert {change.subject for change in look(area)} == {f"{SHOP}.fake.mro"}
    look(area)


def test_unhashable_and_strange_keys(area: Patches) -> None:
    class Key:
        def __repr__(self) -> str:
            raise RuntimeError("touched")

    with pytest.MonkeyPatch.context() as monkey:
        monkey.setitem(sys.modules, Key(), 1)  # type: ignore[arg-type,misc]
        (change,) = look(area)
        assert change.subject == "sys.modules"
    look(area)
    with mock.patch.dict({}, {1: 2}):
        assert [change.subject for change in look(area)] == ["a dictionary"]


def test_a_module_without_a_name(area: Patches, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lost")
    del module.__name__
    module.patched = 1  # type: ignore[attr-defined]
    with mock.patch.object(module, "patched", 2):
        (change,) = look(area)
    assert change.subject == "module().patched"
