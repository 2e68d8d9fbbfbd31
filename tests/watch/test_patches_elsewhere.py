"""Patches of other packages: the backport of `mock`, pytest-mock and `fixtures`; the real ones where they are installed."""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

SHOP = "secaudit_elsewhere"
CHARGE = f"{SHOP}.charge"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = types.ModuleType(SHOP)
    module.charge, module.refund = len, max
    module.Cart = type("Cart", (), {"__module__": SHOP, "total": lambda self: 1})
    monkeypatch.setitem(sys.modules, SHOP, module)
    return module


@pytest.fixture
def area(shop: Any) -> Iterator[Patches]:
    taps = Taps()
    area = Patches(taps, Stack(os.path.basename, lambda path: path == __file__))
    assert not area.look()
    yield area
    taps.take_back()
    area.stop()


def line() -> int:
    return sys._getframe(1).f_lineno


def told(area: Patches) -> dict[str, Change]:
    return {change.subject: change for change in area.look() if change.before == ABSENT}


def paid(area: Patches) -> list[str]:
    return sorted(change.subject for change in area.look() if change.after == ABSENT)


# --- a module that comes later


def loaded(name: str, **names: object) -> Any:
    """A module of this name, as if it had just been imported."""
    module = types.ModuleType(name)
    vars(module).update(names)
    sys.modules[name] = module
    return module


def patchers() -> dict[str, Any]:
    """The classes of `unittest.mock` once more, as the backport has them."""
    import unittest.mock as original

    source = types.ModuleType("mock.mock")
    code = compile(Path(original.__file__).read_text(encoding="utf-8"), original.__file__, "exec")
    exec(code, vars(source))
    return vars(source)


def test_a_backport_is_heard_once_it_is_loaded(area: Patches, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patchers that it started in the same import are in force."""
    monkeypatch.delitem(sys.modules, "mock.mock", raising=False)
    names = patchers()
    early = names["patch"](CHARGE)
    early.start()
    with contextlib.ExitStack() as stack:
        stack.callback(sys.modules.pop, "mock.mock")
        loaded("mock.mock", **names)
        (change,) = told(area).values()
        assert (change.subject, change.site) == (CHARGE, None)
        with names["patch"].object(shop, "refund"):
            assert list(told(area)) == [f"{SHOP}.refund"]
        assert paid(area) == [f"{SHOP}.refund"]
        early.stop()
        assert paid(area) == [CHARGE]
    assert area.off == ""


def test_early_patchers_of_dictionaries(area: Patches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mock.mock", raising=False)
    names = patchers()
    early = names["patch"].dict(os.environ, {"SECAUDIT_A": "1"})
    early.start()
    with contextlib.ExitStack() as stack:
        stack.callback(sys.modules.pop, "mock.mock")
        loaded("mock.mock", **names)
        assert list(told(area)) == ["os.environ['SECAUDIT_A']"]
        early.stop()
        assert paid(area) == ["os.environ['SECAUDIT_A']"]


def test_somebody_elses_mock_is_left_alone(area: Patches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mock.mock", types.ModuleType("mock.mock"))
    monkeypatch.setitem(sys.modules, "fixtures._fixtures.other", types.ModuleType("other"))
    assert not area.look()
    assert area.off == ""


@pytest.mark.parametrize(
    ("spoil", "missing"),
    [
        (lambda names: names.update(_patch=None), "_patch"),
        (lambda names: names.pop("_patch_dict"), "_patch_dict"),
        (lambda names: delattr(names["_patch"], "__enter__"), "_patch.__enter__"),
        (lambda names: delattr(names["_patch"], "__exit__"), "_patch.__exit__"),
        (lambda names: delattr(names["_patch"], "_active_patches"), "_patch._active_patches"),
        (lambda names: setattr(names["_patch"], "__enter__", lambda self: self.target), "_patch.temp_original"),
        (lambda names: setattr(names["_patch_dict"], "_patch_dict", lambda self: None), "_patch_dict._original"),
    ],
)
def test_a_private_name_that_is_gone(
    area: Patches, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Any], object], missing: str
) -> None:
    names = patchers()
    spoil(names)
    module = types.ModuleType("mock.mock")
    vars(module).update(names)
    monkeypatch.setitem(sys.modules, "mock.mock", module)
    area._refresh()
    assert area.off == f"mock.mock has no {missing} any more"
    with pytest.MonkeyPatch.context() as monkey:  # the rest goes on
        monkey.setattr(SHOP + ".charge", 1)
        assert list(told(area)) == [CHARGE]


@pytest.mark.parametrize("there", [True, False])
def test_a_stand_in_that_is_gone_again_was_none_of_a_version(
    area: Patches, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    names = patchers()
    module, stand_in = types.ModuleType("mock.mock"), types.ModuleType("mock.mock")
    vars(module).update(names)
    vars(stand_in).update({**names, "_patch": object})
    if there:
        monkeypatch.setitem(sys.modules, "mock.mock", module)
    else:
        monkeypatch.delitem(sys.modules, "mock.mock", raising=False)
    area._refresh()
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setitem(sys.modules, "mock.mock", stand_in)
        area._refresh()
        assert "mock.mock" in area.off
    area._refresh()
    assert area.off == ""


@pytest.mark.parametrize("derived_before", [True, False])
def test_a_derived_patcher_is_heard_as_well(
    shop: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, derived_before: bool
) -> None:
    """As the one that oslotest puts into `unittest.mock`, which all of OpenStack uses."""
    import unittest.mock

    class Derived(unittest.mock._patch):
        __slots__ = ()

        def __enter__(self) -> object:
            return super().__enter__()

    source = "def test_it(make):\n    made = make()\n    made.start()\n    return made\n"
    names: dict[str, Any] = {}
    exec(compile(source, str(tmp_path / "test_it.py"), "exec"), names)
    taps = Taps()
    stack = Stack(os.path.basename, lambda path: path.endswith("test_it.py"))
    if derived_before:
        monkeypatch.setattr(unittest.mock, "_patch", Derived)
    area = Patches(taps, stack)
    try:
        assert not area.look()
        monkeypatch.setattr(unittest.mock, "_patch", Derived)
        area._refresh()
        assert area.off == ""
        for act in (unittest.mock.patch, lambda path: unittest.mock.patch.object(shop, "charge")):
            made = names["test_it"](lambda act=act: act(CHARGE))
            assert type(made) is Derived
            (change,) = told(area).values()
            assert change.subject == CHARGE
            assert change.site.edit == change.site.written_at == Place("test_it.py", 3)
            made.stop()
            assert paid(area) == [CHARGE]
        with unittest.mock.patch(CHARGE):
            assert list(told(area)) == [CHARGE]
    finally:
        taps.take_back()
        area.stop()


def test_the_standard_library_has_the_names(area: Patches) -> None:
    import unittest.mock

    assert unittest.mock.patch
    area._refresh()
    assert area.off == ""


def test_the_real_backport(area: Patches) -> None:
    mock = pytest.importorskip("mock")
    area._refresh()
    assert area.off == ""
    with mock.patch(CHARGE):
        (change,) = told(area).values()
        assert change.site is not None
        assert change.site.edit == Place("test_patches_elsewhere.py", line() - 3)
    assert paid(area) == [CHARGE]
    mock.patch(CHARGE).start()
    assert list(told(area)) == [CHARGE]
    mock.patch.stopall()
    assert paid(area) == [CHARGE]


# --- pytest-mock


@pytest.fixture
def make_mocker(pytestconfig: pytest.Config) -> Callable[[], Any]:
    plugin = pytest.importorskip("pytest_mock.plugin")
    return lambda: plugin.MockerFixture(pytestconfig)  # type: ignore[no-any-return]


def test_a_mocker_stops_by_itself(area: Patches, shop: Any, make_mocker: Callable[[], Any]) -> None:
    mocker = make_mocker()
    mocker.patch(CHARGE)
    written = Place("test_patches_elsewhere.py", line() - 1)
    mocker.patch.object(shop, "refund")
    mocker.patch.dict("os.environ", {"SECAUDIT_A": "1"})
    mocker.spy(shop.Cart, "total")
    changes = told(area)
    assert sorted(changes) == sorted([CHARGE, f"{SHOP}.refund", "os.environ['SECAUDIT_A']", f"{SHOP}.Cart.total"])
    site = changes[CHARGE].site
    assert site is not None
    assert site.written_at == site.edit == written
    mocker.resetall()
    assert not area.look()
    mocker.stopall()
    assert paid(area) == sorted(changes)
    mocker.stopall()
    assert not area.look()


def test_a_spy_in_a_monkeypatch_context(area: Patches, shop: Any, make_mocker: Callable[[], Any]) -> None:
    """Issue 289 of pytest-mock: the context ends first, and the spy puts the patched function back."""
    mocker, original = make_mocker(), vars(shop.Cart)["total"]
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(shop.Cart, "total", lambda self: 2)
        mocker.spy(shop.Cart, "total")
    mocker.stopall()
    (change,) = told(area).values()
    assert change.subject == f"{SHOP}.Cart.total"
    assert area.said(change) == "still replaced: its patchers were stopped in the wrong order"
    shop.Cart.total = original
    assert paid(area) == [f"{SHOP}.Cart.total"]


# --- fixtures


class Fixture:
    """As much of `fixtures.Fixture` as matters."""

    def setUp(self) -> None:
        self.cleanups: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self._setUp()

    def _setUp(self) -> None: ...  # noqa: N802

    def addCleanup(self, call: Callable[..., object], *args: object) -> None:  # noqa: N802
        self.cleanups.append((call, args))

    def cleanUp(self) -> None:  # noqa: N802
        while self.cleanups:
            call, args = self.cleanups.pop()
            call(*args)


class FakeMonkeyPatch(Fixture):
    delete = object()

    def __init__(self, name: str, new_value: object = None) -> None:
        self.name, self.new_value = name, new_value

    def _setUp(self) -> None:  # noqa: N802
        module, _, attribute = self.name.rpartition(".")
        holder = sys.modules[module]
        self.addCleanup(setattr, holder, attribute, getattr(holder, attribute))
        if self.new_value is self.delete:
            delattr(holder, attribute)
        else:
            setattr(holder, attribute, self.new_value)


class FakeVariable(Fixture):
    def __init__(self, varname: str, newvalue: str | None = None) -> None:
        self.varname, self.newvalue = varname, newvalue

    def _setUp(self) -> None:  # noqa: N802
        os.environ[self.varname] = str(self.newvalue)
        self.addCleanup(os.environ.pop, self.varname)


MONKEYPATCH, ENVIRON = "fixtures._fixtures.monkeypatch", "fixtures._fixtures.environ"


@pytest.fixture(params=["fake", "real"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The `fixtures` package, or one of the same form; to be asked for before the area, as the newest listener hears."""
    if request.param == "real":
        return pytest.importorskip("fixtures")
    fixtures = types.SimpleNamespace(MonkeyPatch=FakeMonkeyPatch, EnvironmentVariable=FakeVariable)
    for name in (MONKEYPATCH, ENVIRON):
        module = types.ModuleType(name)
        vars(module).update(vars(fixtures))
        monkeypatch.setitem(sys.modules, name, module)
    return fixtures


def test_a_fixture_owes_until_it_is_cleaned_up(package: Any, area: Patches) -> None:
    fixture = package.MonkeyPatch(CHARGE, 3)
    fixture.setUp()
    (change,) = told(area).values()
    assert (change.subject, change.after) == (CHARGE, "replaced by an int")
    assert change.site is not None
    assert change.site.edit is not None
    assert area.fix(change) == f'self.useFixture(fixtures.MonkeyPatch("{CHARGE}", ...))'
    assert area.is_lasting(change)
    fixture.cleanUp()
    assert paid(area) == [CHARGE]
    fixture.setUp()
    fixture.cleanUp()
    assert not area.look()


def test_a_fixture_that_deletes(package: Any, area: Patches) -> None:
    fixture = package.MonkeyPatch(CHARGE, package.MonkeyPatch.delete)
    fixture.setUp()
    (change,) = told(area).values()
    assert (change.subject, change.after) == (CHARGE, "deleted")
    fixture.cleanUp()
    assert paid(area) == [CHARGE]


def test_a_fixture_of_a_variable(package: Any, area: Patches) -> None:
    fixture = package.EnvironmentVariable("SECAUDIT_A", "1")
    fixture.setUp()
    (change,) = told(area).values()
    assert (change.subject, change.after) == ("os.environ['SECAUDIT_A']", "set")
    assert area.fix(change) == "self.useFixture(fixtures.EnvironmentVariable('SECAUDIT_A', ...))"
    fixture.cleanUp()
    assert paid(area) == ["os.environ['SECAUDIT_A']"]


def test_fixtures_cleaned_up_in_a_wrong_order(package: Any, shop: Any, area: Patches) -> None:
    first, second = (package.MonkeyPatch(CHARGE, number) for number in (1, 2))
    first.setUp()
    second.setUp()
    first.cleanUp()
    second.cleanUp()
    (change,) = told(area).values()
    assert area.said(change) == "still replaced: its patchers were stopped in the wrong order"
    shop.charge = len
    assert paid(area) == [CHARGE]


def test_a_fixture_that_fails_to_set_up(package: Any, area: Patches) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - the package wraps it
        package.MonkeyPatch(f"{SHOP}.nowhere.at_all", 1).setUp()
    assert not area.look()


def test_used_fixtures_are_silent(area: Patches) -> None:
    fixtures, testtools = pytest.importorskip("fixtures"), pytest.importorskip("testtools")
    area._refresh()

    class Suite(testtools.TestCase):  # type: ignore[misc,name-defined]
        def test_it(self) -> None:
            self.useFixture(fixtures.MonkeyPatch(CHARGE, 3))
            self.useFixture(fixtures.MockPatch(f"{SHOP}.refund"))
            self.useFixture(fixtures.EnvironmentVariable("SECAUDIT_A", "1"))
            assert len(told(area)) == 3

    result = testtools.TestResult()
    Suite("test_it").run(result)
    assert result.wasSuccessful(), result.errors + result.failures
    assert len(paid(area)) == 3
    with fixtures.MonkeyPatch(CHARGE, 4):
        assert list(told(area)) == [CHARGE]
    assert paid(area) == [CHARGE]
    nested = fixtures.MockPatchObject(sys.modules[SHOP], "charge")
    nested.setUp()
    (change,) = told(area).values()
    assert change.site is not None
    assert change.site.edit is not None
    assert change.site.edit.line == line() - 4
    nested.reset()
    area.look()
    nested.cleanUp()
    assert paid(area) == [CHARGE]


@pytest.mark.parametrize(("module", "name"), [(MONKEYPATCH, "MonkeyPatch"), (ENVIRON, "EnvironmentVariable")])
def test_a_method_of_the_package_that_is_gone(
    area: Patches, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    fake = types.ModuleType(module)
    setattr(fake, name, type(name, (), {}))
    monkeypatch.setitem(sys.modules, module, fake)
    area._refresh()
    assert area.off == f"fixtures.{name} has no _setUp any more"
