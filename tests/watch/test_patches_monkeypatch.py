"""`pytest.MonkeyPatch`: what is not undone is owed, and nobody can tell that we listen."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import sys
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.patches.monkeys import ToUndo
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

SHOP = "secaudit_monkey"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = types.ModuleType(SHOP)
    module.charge, module.options = len, {"debug": False}
    module.Cart = type("Cart", (), {"__module__": SHOP, "total": 1})
    module.Basket = type("Basket", (module.Cart,), {"__module__": SHOP})
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
    """What a look says begins, by subject."""
    return {change.subject: change for change in area.look() if change.before == ABSENT}


def paid(area: Patches) -> list[str]:
    """What a look says is over."""
    return sorted(change.subject for change in area.look() if change.after == ABSENT)


def test_each_act_is_owed_and_undone(area: Patches, shop: Any, tmp_path: Path) -> None:
    monkey = pytest.MonkeyPatch()
    monkey.setattr(f"{SHOP}.charge", 3)
    monkey.delattr(shop.Cart, "total")
    monkey.setenv("SECAUDIT_A", "1")
    monkey.setitem(shop.options, "debug", True)
    monkey.syspath_prepend(tmp_path)
    monkey.chdir(tmp_path)
    changes = told(area)
    expected = {
        f"{SHOP}.charge": ("replaced by an int", f'setattr("{SHOP}.charge", ...)'),
        f"{SHOP}.Cart.total": ("deleted", f'delattr("{SHOP}.Cart.total")'),
        "os.environ['SECAUDIT_A']": ("set", "setenv('SECAUDIT_A', ...)"),
        f"{SHOP}.options": ("set", f"setitem({SHOP}.options, ..., ...)"),
        f"sys.path[{str(tmp_path)!r}]": ("added", f"syspath_prepend({str(tmp_path)!r})"),
        "the working directory": ("changed", "chdir(...)"),
    }
    assert {subject: area.said(change) for subject, change in changes.items()} == {
        subject: said for subject, (said, _) in expected.items()
    }
    for subject, (_, fix) in expected.items():
        assert area.fix(changes[subject]) == f"with pytest.MonkeyPatch.context() as mp: mp.{fix}"
        assert area.is_lasting(changes[subject])
    monkey.undo()
    assert paid(area) == sorted(expected)
    assert not area.look()


def test_removed_items(area: Patches, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECAUDIT_A", "1")
    with pytest.MonkeyPatch.context() as monkey:
        monkey.delenv("SECAUDIT_A")
        monkey.delitem(shop.options, "debug")
        changes = told(area)
    assert {subject: area.said(change) for subject, change in changes.items()} == {
        "os.environ['SECAUDIT_A']": "removed",
        f"{SHOP}.options": "removed",
    }
    fixes = [area.fix(change).partition("mp: mp.")[2] for change in changes.values()]
    assert fixes == ["delenv('SECAUDIT_A')", f"delitem({SHOP}.options, ...)"]


def test_the_line_is_the_users(area: Patches, shop: Any) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(shop, "charge", 3)
        written = Place("test_patches_monkeypatch.py", line() - 1)
        (change,) = told(area).values()
    assert change.site is not None
    assert change.site.written_at == change.site.edit == written


def test_a_context_is_silent(area: Patches, shop: Any) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(shop, "charge", 3)
        monkey.setattr(shop, "charge", 4)
    assert not area.look()
    assert shop.charge is len


def test_undone_and_used_again(area: Patches, shop: Any) -> None:
    monkey = pytest.MonkeyPatch()
    monkey.setattr(shop, "charge", 3)
    monkey.undo()
    assert not area.look()
    monkey.setattr(shop, "charge", 4)
    assert list(told(area)) == [f"{SHOP}.charge"]
    monkey.undo()
    assert paid(area) == [f"{SHOP}.charge"]


def test_an_inherited_attribute_goes_away_again(area: Patches, shop: Any) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(shop.Basket, "total", 2)
        assert list(told(area)) == [f"{SHOP}.Basket.total"]
        area.settle()
        assert not area.look()
        del shop.Basket.total
        area.settle()
        assert paid(area) == [f"{SHOP}.Basket.total"]
        shop.Basket.total = 3  # what undo() takes away


def test_what_a_dropped_instance_left_stays_owed(area: Patches, shop: Any) -> None:
    def patch_and_forget() -> weakref.ref[pytest.MonkeyPatch]:
        monkey = pytest.MonkeyPatch()
        monkey.setattr(shop, "charge", 3)
        monkey.chdir(Path.cwd())
        return weakref.ref(monkey)

    dropped = patch_and_forget()
    gc.collect()
    changes = told(area)
    assert sorted(changes) == [f"{SHOP}.charge", "the working directory"]
    assert dropped() is not None, "its folder is asked for at looks"
    for change in changes.values():
        assert area.is_lasting(change)
    gc.collect()
    assert dropped() is None
    assert not area.look()


def test_an_instance_that_owes_nothing_is_not_held(area: Patches) -> None:
    monkey = pytest.MonkeyPatch()
    gone = weakref.ref(monkey)
    area.look()
    del monkey
    gc.collect()
    assert gone() is None


def test_instances_that_a_suite_keeps_are_not_asked_at_each_look(area: Patches, shop: Any, tmp_path: Path) -> None:
    kept = [pytest.MonkeyPatch() for _ in range(100)]
    for monkey in kept:
        monkey.setattr(shop, "charge", 3)
        monkey.syspath_prepend(tmp_path)
        monkey.chdir(tmp_path)
        monkey.chdir(tmp_path)
        assert sorted(told(area)) == [f"{SHOP}.charge", f"sys.path[{str(tmp_path)!r}]", "the working directory"]
        monkey.undo()
        assert len(paid(area)) == 3
        assert not any(area.stirred)
    for _ in range(2):  # used again
        kept[50].chdir(tmp_path)
        assert list(told(area)) == ["the working directory"]
        assert any(area.stirred)
        kept[50].undo()
        assert paid(area) == ["the working directory"]
        assert not any(area.stirred)


def test_a_folder_that_was_put_back_before_anybody_looked_is_silent(area: Patches, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey.chdir(tmp_path)
        monkey.syspath_prepend(tmp_path)
    with pytest.MonkeyPatch.context() as monkey, pytest.raises(FileNotFoundError):
        monkey.chdir(tmp_path / "nowhere")
    assert not area.look()
    assert not any(area.stirred)


def test_an_instance_that_was_made_before_us_is_not_minded(area: Patches, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey._setattr = list(monkey._setattr)
        monkey.chdir(tmp_path)
        assert not any(area.stirred)


def test_a_path_that_is_taken_away_by_hand(area: Patches, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey.syspath_prepend(tmp_path / "a")
        monkey.syspath_prepend(tmp_path / "b")
        assert len(told(area)) == 2
        sys.path.remove(str(tmp_path / "a"))
        assert paid(area) == [f"sys.path[{str(tmp_path / 'a')!r}]"]
    assert paid(area) == [f"sys.path[{str(tmp_path / 'b')!r}]"]


def test_a_local_target_does_not_last(area: Patches) -> None:
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(types.SimpleNamespace(x=1), "x", 2)
        monkey.setitem({}, "x", 2)
        changes = told(area)
        assert sorted(changes) == ["a dictionary", "types.SimpleNamespace().x"]
        assert not any(area.is_lasting(change) for change in changes.values())
    assert not area.look()


def test_undone_by_another_thread_while_we_look(area: Patches, shop: Any) -> None:
    """It finds the act in none of our books, but the act itself tells."""
    with pytest.MonkeyPatch.context() as monkey:
        monkey.setattr(shop, "charge", 3)
        books = area._register.fresh[:]
        area._register.fresh.clear()
    area._register.fresh += books
    assert area.look() == []


# --- nobody can tell


def test_the_lists_are_as_they_were(area: Patches, shop: Any) -> None:
    monkey = pytest.MonkeyPatch()
    monkey.setattr(shop, "charge", 3)
    kept = monkey._setattr
    assert type(kept) is ToUndo
    plain = list(kept)
    assert kept == plain
    assert plain == kept
    assert isinstance(kept, list)
    assert repr(kept) == repr(plain)
    assert bool(kept)
    assert not monkey._setitem
    for made in (copy.copy(kept), copy.deepcopy(monkey._setitem), pickle.loads(pickle.dumps(monkey._setitem))):
        assert type(made) is list
    assert copy.copy(kept) == plain
    assert set(vars(monkey)) == {"_setattr", "_setitem", "_cwd", "_savesyspath"}
    monkey.undo()
    assert kept == []
    assert monkey._setattr is kept


def test_other_ways_to_empty_the_lists(area: Patches, shop: Any) -> None:
    monkey = pytest.MonkeyPatch()
    for name in ("a", "b", "c", "d"):
        monkey.setattr(shop, name, 1, raising=False)
    assert len(told(area)) == 4
    monkey._setattr.pop()
    assert paid(area) == [f"{SHOP}.d"]
    del monkey._setattr[0]
    assert paid(area) == [f"{SHOP}.a"]
    monkey._setattr.clear()
    assert paid(area) == [f"{SHOP}.b", f"{SHOP}.c"]


def test_warnings_name_the_line_of_the_user(area: Patches) -> None:
    with pytest.MonkeyPatch.context() as monkey, pytest.warns(pytest.PytestWarning) as caught:
        monkey.setenv("SECAUDIT_A", 1)  # type: ignore[arg-type]
    called = line() - 1
    assert (caught[0].filename, caught[0].lineno) == (__file__, called)


def test_after_the_run_the_lists_only_keep(area: Patches, shop: Any) -> None:
    monkey = pytest.MonkeyPatch()
    area.stop()
    monkey.setattr(shop, "charge", 3)
    assert not area._register.fresh
    monkey.undo()
    assert shop.charge is len


# --- the names that are not pytest's promise


def test_this_pytest_has_the_names(area: Patches) -> None:
    pytest.MonkeyPatch()
    assert area.off == ""
    assert type(pytest.MonkeyPatch()._setitem) is ToUndo


@pytest.mark.parametrize("name", ["_setattr", "_setitem", "_cwd", "_savesyspath"])
def test_a_name_that_is_gone_switches_off(shop: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    class MonkeyPatch:
        def __init__(self) -> None:
            self._setattr: list[object] = []
            self._setitem: list[object] = []
            self._cwd = self._savesyspath = None
            delattr(self, name)

    monkeypatch.setattr(pytest, "MonkeyPatch", MonkeyPatch)
    taps = Taps()
    area = Patches(taps, Stack(str, lambda path: True))
    try:
        pytest.MonkeyPatch()
        assert area.off == f"pytest.MonkeyPatch has no {name} any more"
        assert not area.look()
    finally:
        taps.take_back()


def test_lists_that_are_none_switch_off(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class MonkeyPatch:
        def __init__(self) -> None:
            self._setattr = self._setitem = self._cwd = self._savesyspath = ()

    monkeypatch.setattr(pytest, "MonkeyPatch", MonkeyPatch)
    taps = Taps()
    area = Patches(taps, Stack(str, lambda path: True))
    try:
        assert pytest.MonkeyPatch()._setattr == ()  # type: ignore[comparison-overlap]
        assert area.off == "pytest.MonkeyPatch has no lists any more"
    finally:
        taps.take_back()
