"""Patchers of `unittest.mock` in every form: what is in force at a look is a debt, its end the payment."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import threading
import types
import unittest
import weakref
from collections.abc import Iterable, Iterator
from unittest import mock

import pytest

from pytest_secaudit.model import Place
from pytest_secaudit.watch.patches import Patches, targets
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import ABSENT, Change
from pytest_secaudit.watch.tapping import Taps

SHOP = "secaudit_shop"
CHARGE = f"{SHOP}.orders.charge"


class Debts:
    """Looks, and keeps what is owed, as the ledger does."""

    def __init__(self, area: Patches) -> None:
        self.area = area
        self.open: dict[str, Change] = {}

    def look(self) -> list[Change]:
        changes = list(self.area.look())
        for change in changes:
            if change.before == ABSENT:
                self.open[change.key] = change
            else:
                assert self.open.pop(change.key).after == change.before
        return changes

    def subjects(self) -> list[str]:
        self.look()
        return sorted(change.subject for change in self.open.values())

    def one(self) -> Change:
        self.look()
        (change,) = self.open.values()
        return change


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A package with a module, a class, an instance and a dictionary."""
    package, orders = types.ModuleType(SHOP), types.ModuleType(f"{SHOP}.orders")
    code = """
class Cart:
    limit = 3
    def total(self): return 1
    async def pay(self): return 2
    @classmethod
    def made(cls): return cls()
    @staticmethod
    def tax(): return 4
    class Line:
        price = 1
class Basket(Cart):
    pass
Cart.default = Cart()
Cart.options = {"a": 1}
cart = Cart()
options = {"debug": False}
def charge(amount): return amount
def refund(amount): return -amount
async def ship(): return 3
"""
    exec(code, vars(orders))
    package.orders = orders  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, SHOP, package)
    monkeypatch.setitem(sys.modules, f"{SHOP}.orders", orders)
    return orders


@pytest.fixture
def debts(shop: types.ModuleType) -> Iterator[Debts]:
    taps = Taps()
    area = Patches(taps, Stack(os.path.basename, lambda path: path == __file__))
    debts = Debts(area)
    assert debts.look() == []
    yield debts
    taps.take_back()
    area.stop()
    mock.patch.stopall()


def line() -> int:
    return sys._getframe(1).f_lineno


def edit_line(change: Change) -> int:
    assert change.site is not None
    assert change.site.edit is not None
    return change.site.edit.line


def said(debts: Debts) -> str:
    change = debts.one()
    return f"{change.subject} {debts.area.said(change)}"


# --- every form


def test_started_is_owed_until_it_is_stopped(debts: Debts) -> None:
    patcher = mock.patch(CHARGE)
    patcher.start()
    change = debts.one()
    assert change.subject == CHARGE
    assert change.site is not None
    assert change.site.edit == change.site.written_at == Place("test_patches.py", line() - 4)
    assert debts.area.said(change) == "replaced by a MagicMock"
    assert debts.area.fix(change) == f'with patch("{CHARGE}"), or self.addCleanup(p.stop) right after start'
    assert debts.look() == []
    patcher.stop()
    (paid,) = debts.look()
    assert (paid.subject, paid.before, paid.after, paid.key) == (CHARGE, change.after, ABSENT, change.key)
    assert debts.look() == []


def test_what_is_over_before_a_look_is_never_told(debts: Debts, shop: types.ModuleType) -> None:
    with mock.patch(CHARGE), mock.patch.object(shop, "refund"), mock.patch.dict(os.environ, SECAUDIT="1"):
        pass
    patcher = mock.patch(CHARGE)
    patcher.start()
    patcher.stop()
    assert debts.look() == []


@pytest.mark.parametrize(
    ("target", "subject", "kind"),
    [
        (CHARGE, CHARGE, "a MagicMock"),
        (f"{SHOP}.orders.ship", f"{SHOP}.orders.ship", "an AsyncMock"),
        (f"{SHOP}.orders.Cart", f"{SHOP}.orders.Cart", "a MagicMock"),
        (f"{SHOP}.orders.Cart.total", f"{SHOP}.orders.Cart.total", "a MagicMock"),
        (f"{SHOP}.orders.Cart.Line.price", f"{SHOP}.orders.Cart.Line.price", "a MagicMock"),
        (f"{SHOP}.orders.Basket.total", f"{SHOP}.orders.Basket.total", "a MagicMock"),
        (f"{SHOP}.orders.cart.total", f"{SHOP}.orders.cart.total", "a MagicMock"),
        ("os.path.exists", f"{os.path.__name__}.exists", "a MagicMock"),
        ("builtins.open", "builtins.open", "a MagicMock"),
    ],
)
def test_the_subject_is_named_from_the_defining_module(debts: Debts, target: str, subject: str, kind: str) -> None:
    with mock.patch(target):
        change = debts.one()
    assert (change.subject, change.after) == (subject, f"replaced by {kind}")
    assert debts.subjects() == []


@pytest.mark.parametrize(
    ("new", "kind"),
    [(None, "None"), (3, "an int"), (len, "a builtin_function_or_method"), (dict, "a class"), ("x", "a str")],
)
def test_a_new_value_is_named_by_its_type(debts: Debts, new: object, kind: str) -> None:
    with mock.patch(CHARGE, new):
        assert said(debts) == f"{CHARGE} replaced by {kind}"


@pytest.mark.parametrize("how", [{"autospec": True}, {"spec": True}, {"spec_set": True}, {"new_callable": mock.Mock}])
def test_specs_and_callables(debts: Debts, how: dict[str, object]) -> None:
    with mock.patch(CHARGE, **how):
        assert debts.subjects() == [CHARGE]
    assert debts.subjects() == []


def test_created_attributes(debts: Debts) -> None:
    with mock.patch(f"{SHOP}.orders.brand_new", create=True):
        assert debts.subjects() == [f"{SHOP}.orders.brand_new"]
    assert debts.subjects() == []


def test_a_function_with_a_decorator(debts: Debts) -> None:
    @mock.patch(CHARGE)
    @mock.patch(f"{SHOP}.orders.refund", 1)
    def act(charge: object) -> None:
        assert debts.subjects() == [CHARGE, f"{SHOP}.orders.refund"]
        assert [change.site for change in debts.open.values()] == [None, None], "its line is found by reading"

    act()
    act()
    assert debts.subjects() == []


def test_a_coroutine_function_with_a_decorator(debts: Debts) -> None:
    @mock.patch(CHARGE)
    async def act(charge: object) -> None:
        await asyncio.sleep(0)
        assert debts.subjects() == [CHARGE]

    asyncio.run(act())
    assert debts.subjects() == []


def test_a_class_with_a_decorator(debts: Debts, shop: types.ModuleType) -> None:
    @mock.patch(CHARGE)
    @mock.patch.dict(shop.options, {"debug": True})
    class Suite(unittest.TestCase):
        def test_it(self, charge: object) -> None:
            assert CHARGE in debts.subjects()

    result = unittest.TestResult()
    Suite("test_it").run(result)
    assert result.wasSuccessful(), result.errors + result.failures
    assert debts.subjects() == []


def test_several_at_once(debts: Debts) -> None:
    patcher = mock.patch.multiple(f"{SHOP}.orders", charge=mock.DEFAULT, refund=2)
    started = line() + 1
    patcher.start()
    debts.look()
    assert debts.subjects() == [CHARGE, f"{SHOP}.orders.refund"]
    assert [edit_line(change) for change in debts.open.values()] == [started, started]
    patcher.stop()
    assert debts.subjects() == []
    with patcher:
        debts.look()
        entered = line() - 2
    assert [edit_line(change) for change in debts.open.values()] == [entered, entered]
    assert debts.subjects() == []


def test_an_exit_stack(debts: Debts) -> None:
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch(CHARGE))
        change = debts.one()
        assert change.site is not None
        assert change.site.edit == Place("test_patches.py", line() - 3)
    assert debts.subjects() == []


def test_a_context_of_unittest(debts: Debts) -> None:
    """Its line is in `unittest`, so it is found by reading."""
    enter = getattr(unittest.TestCase(), "enterContext", None)  # since 3.11
    if enter is not None:
        enter(mock.patch(CHARGE))
        assert debts.one().site is None
        enter.__self__.doCleanups()
        assert debts.subjects() == []


def test_entered_by_hand(debts: Debts) -> None:
    patcher = mock.patch(CHARGE)
    patcher.__enter__()
    change = debts.one()
    assert change.site is not None
    assert change.site.edit == Place("test_patches.py", line() - 3)
    patcher.stop()  # does nothing: it was not started
    assert debts.subjects() == [CHARGE]
    patcher.__exit__(None, None, None)
    assert debts.subjects() == []


def test_stopall_pays_for_everybody(debts: Debts, shop: types.ModuleType) -> None:
    mock.patch(CHARGE).start()
    mock.patch.object(shop.Cart, "total").start()
    mock.patch.dict(shop.options, {"debug": True}).start()
    assert debts.subjects() == [f"{SHOP}.orders.Cart.total", CHARGE, f"{SHOP}.orders.options"]
    mock.patch.stopall()
    assert debts.subjects() == []


def test_started_in_one_place_and_stopped_in_another(debts: Debts) -> None:
    patcher = mock.patch(CHARGE)
    for _ in range(3):
        patcher.start()
        key = debts.one().key
        patcher.stop()
        assert [change.key for change in debts.look()] == [key]


def test_a_subclass_of_the_patcher(debts: Debts, shop: types.ModuleType) -> None:
    class Own(mock._patch):  # type: ignore[name-defined,misc]
        def __enter__(self) -> object:
            return super().__enter__()

    def own_patch() -> Own:
        return Own(lambda: shop, "charge", 5, None, False, None, None, None, {})

    with own_patch():
        assert debts.subjects() == [CHARGE]
    assert debts.subjects() == []


def test_threads_may_patch_too(debts: Debts, shop: types.ModuleType) -> None:
    names = [f"name{number}" for number in range(8)]

    def patch(name: str) -> None:
        for _ in range(50):
            with mock.patch.object(shop, name, 1, create=True):
                pass
        mock.patch.object(shop, name, 2, create=True).start()

    threads = [threading.Thread(target=patch, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        debts.look()
    assert debts.subjects() == sorted(f"{SHOP}.orders.{name}" for name in names)
    mock.patch.stopall()
    assert debts.subjects() == []


# --- dictionaries


def test_a_dictionary_is_named_by_its_path(debts: Debts, shop: types.ModuleType) -> None:
    with mock.patch.dict(f"{SHOP}.orders.options", {"debug": True}):
        change = debts.one()
        assert (change.subject, change.after) == (f"{SHOP}.orders.options", "set")
        assert debts.area.fix(change) == (
            f'with patch.dict("{SHOP}.orders.options", ...), or self.addCleanup(p.stop) right after start'
        )
    with mock.patch.dict(shop.options, debug=True):
        assert debts.subjects() == [f"{SHOP}.orders.options"]
    with mock.patch.dict(shop.Cart.options, a=2):
        assert debts.subjects() == [f"{SHOP}.orders.Cart.options"]
    with mock.patch.dict({}, a=1):
        assert not debts.area.is_lasting(debts.one())
    assert not debts.area.look()


def test_a_dictionary_that_only_its_path_reaches(debts: Debts, shop: types.ModuleType) -> None:
    shop.cart.settings = {"a": 1}
    with mock.patch.dict(f"{SHOP}.orders.cart.settings", a=2):
        change = debts.one()
        assert change.subject == f"{SHOP}.orders.cart.settings"
        assert debts.area.is_lasting(change)


def test_nothing_is_owed_for_a_dictionary_that_is_only_kept(debts: Debts, shop: types.ModuleType) -> None:
    with mock.patch.dict(shop.options):
        shop.options["more"] = 1
        assert debts.subjects() == []
    assert shop.options == {"debug": False}


def test_the_environment_by_variable(debts: Debts) -> None:
    with mock.patch.dict(os.environ, {"SECAUDIT_A": "1", "SECAUDIT_B": "2"}):
        with mock.patch.dict(os.environ, {"SECAUDIT_B": "2", "SECAUDIT_C": "3"}):
            assert debts.subjects() == [f"os.environ['SECAUDIT_{name}']" for name in "ABC"]
        assert debts.subjects() == [f"os.environ['SECAUDIT_{name}']" for name in "AB"]
        change = next(iter(debts.open.values()))
        assert debts.area.fix(change) == (
            "with patch.dict(\"os.environ\", {'SECAUDIT_A': ...}), or self.addCleanup(p.stop) right after start"
        )
    assert debts.subjects() == []


def test_the_environment_cleared(debts: Debts) -> None:
    with mock.patch.dict(os.environ, SECAUDIT_A="1", SECAUDIT_B="1"):
        debts.look()
        before = set(debts.open)
        with mock.patch.dict(os.environ, {"SECAUDIT_B": "2"}, clear=True):
            debts.look()
            now = {change.subject: change.after for key, change in debts.open.items() if key not in before}
            assert len(debts.open) == len(now) + len(before), "each variable once"
    assert now["os.environ['SECAUDIT_A']"] == "removed"
    assert now["os.environ['SECAUDIT_B']"] == "set"
    assert debts.subjects() == []


def test_modules_by_name(debts: Debts) -> None:
    with mock.patch.dict("sys.modules", {"secaudit_fake": mock.Mock()}):
        assert said(debts) == "sys.modules['secaudit_fake'] set"
    assert debts.subjects() == []


# --- whom it concerns


def test_modules_classes_and_what_they_hold_last(debts: Debts, shop: types.ModuleType) -> None:
    for target, name in ((shop, "charge"), (shop.Cart, "total"), (shop.Cart.Line, "price"), (shop.cart, "total")):
        with mock.patch.object(target, name):
            assert debts.area.is_lasting(debts.one()), target
        debts.look()
    with mock.patch.object(shop.Cart.default, "total"):
        change = debts.one()
        assert change.subject == f"{SHOP}.orders.Cart.default.total"
        assert debts.area.is_lasting(change)


def test_what_is_local_does_not_last(debts: Debts, shop: types.ModuleType) -> None:
    class Local:
        name = 1

    for target, name in ((shop.Cart(), "total"), (Local, "name"), (types.ModuleType("lost"), "__doc__")):
        with mock.patch.object(target, name):
            change = debts.one()
            assert not debts.area.is_lasting(change)
            debts.open.clear()
        assert debts.look() == [], "forgotten, so its end is no news"


def test_an_instance_that_nobody_holds_is_named_by_its_class(debts: Debts, shop: types.ModuleType) -> None:
    with mock.patch.object(shop.Cart(), "total"):
        change = debts.one()
    assert change.subject == f"{SHOP}.orders.Cart().total"
    assert debts.area.fix(change) == ('with patch.object(..., "total"), or self.addCleanup(p.stop) right after start')


def test_a_target_that_is_gone_does_not_last(debts: Debts, monkeypatch: pytest.MonkeyPatch) -> None:
    mock.patch(CHARGE).start()
    change = debts.one()
    with monkeypatch.context() as inner:
        inner.delitem(sys.modules, f"{SHOP}.orders")
        inner.delattr(sys.modules[SHOP], "orders")
        assert not debts.area.is_lasting(change)


def test_what_a_path_reaches_lasts(debts: Debts, shop: types.ModuleType) -> None:
    """No module global, no class attribute: two steps below, but the user named the way."""
    shop.cart.owner = types.SimpleNamespace(name="x")
    with mock.patch(f"{SHOP}.orders.cart.owner.name"):
        change = debts.one()
        assert change.subject == f"{SHOP}.orders.cart.owner.name"
        assert debts.area.is_lasting(change)


def test_where_an_object_is_held_now(debts: Debts, shop: types.ModuleType) -> None:
    cart = shop.cart
    for name in ("cart", "basket"):
        shop.cart = None  # type: ignore[attr-defined]
        setattr(shop, name, cart)
        with mock.patch.object(cart, "total"):
            assert debts.subjects() == [f"{SHOP}.orders.{name}.total"]
        assert debts.subjects() == []


def test_the_shortest_path_that_is_no_tests(debts: Debts, shop: types.ModuleType) -> None:
    importer, package = types.ModuleType("test_secaudit_importer"), sys.modules[SHOP]
    importer.cart = package.deep = shop.cart  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"test_secaudit_importer": importer}):
        with mock.patch.object(shop.cart, "total"):
            assert f"{SHOP}.deep.total" in debts.subjects()
        debts.look()


def test_what_is_found_nowhere_is_not_looked_for_again_and_again(
    debts: Debts, shop: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = []
    original = targets._holders
    monkeypatch.setattr(targets, "_holders", lambda target: searches.append(target) or original(target))
    for _ in range(30):
        with mock.patch.object(shop.Cart(), "total"):
            assert not debts.area.is_lasting(debts.one())
            debts.open.clear()
    assert 0 < len(searches) < 10


def test_the_end_of_a_debt_does_not_last(debts: Debts) -> None:
    with mock.patch(CHARGE):
        debts.look()
    (paid,) = debts.look()
    assert not debts.area.is_lasting(paid)


def test_put_right_by_hand(debts: Debts, shop: types.ModuleType) -> None:
    original = shop.charge
    patcher = mock.patch(CHARGE)
    patcher.start()
    assert debts.subjects() == [CHARGE]
    debts.area.settle()
    assert debts.subjects() == [CHARGE]
    shop.charge = original  # type: ignore[attr-defined]
    debts.area.settle()
    assert debts.subjects() == []


def test_an_inherited_attribute_put_right_by_hand(debts: Debts, shop: types.ModuleType) -> None:
    patcher = mock.patch.object(shop.Basket, "total")
    patcher.start()
    debts.area.settle()
    assert debts.subjects() == [f"{SHOP}.orders.Basket.total"]
    del shop.Basket.total
    debts.area.settle()
    assert debts.subjects() == []
    shop.Basket.total = None  # what stop() takes away


def test_the_first_look_takes_the_baseline(shop: types.ModuleType) -> None:
    patcher = mock.patch(CHARGE)
    patcher.start()
    taps = Taps()
    area = Patches(taps, Stack(str, lambda path: path == __file__))
    try:
        with mock.patch(f"{SHOP}.orders.refund"):
            assert area.look() == ()
            with mock.patch(f"{SHOP}.orders.ship"):
                assert [change.subject for change in area.look()] == [f"{SHOP}.orders.ship"]
        patcher.stop()
        assert [change.subject for change in area.look()] == [f"{SHOP}.orders.ship"]
        assert not area.look()
    finally:
        taps.take_back()
        area.stop()


# --- references


def test_nothing_is_held_longer_than_it_is_in_place(debts: Debts, shop: types.ModuleType) -> None:
    class Fake:
        pass

    fake, patcher = Fake(), mock.patch(CHARGE)
    gone = weakref.ref(fake)
    with mock.patch(CHARGE, fake):
        pass
    del fake
    gc.collect()
    assert gone() is None
    mocked = weakref.ref(patcher.start())
    debts.look()
    patcher.stop()
    patcher_gone = weakref.ref(patcher)
    del patcher
    debts.look()
    gc.collect()
    assert (mocked(), patcher_gone()) == (None, None)


def test_a_dropped_patcher_is_held_until_the_claim(debts: Debts, shop: types.ModuleType) -> None:
    def enter_and_drop() -> weakref.ref[object]:
        patcher = mock.patch(CHARGE)
        patcher.__enter__()
        return weakref.ref(patcher)

    original, dropped = shop.charge, enter_and_drop()
    gc.collect()
    change = debts.one()
    assert dropped() is not None
    assert debts.area.is_lasting(change)
    gc.collect()
    assert dropped() is None
    assert debts.subjects() == [CHARGE]
    shop.charge = original  # type: ignore[attr-defined]


def test_a_claimed_patch_may_still_be_paid(debts: Debts) -> None:
    mock.patch(CHARGE).start()
    assert debts.area.is_lasting(debts.one())
    gc.collect()
    mock.patch.stopall()
    assert debts.subjects() == []


def test_another_patcher_at_the_address_of_a_dead_one(debts: Debts, shop: types.ModuleType) -> None:
    original = shop.charge
    for _ in range(20):
        patcher = mock.patch(CHARGE)
        patcher.__enter__()
        debts.look()
        for change in list(debts.open.values()):
            debts.area.is_lasting(change)
        del patcher
        gc.collect()
    with mock.patch(f"{SHOP}.orders.refund"):
        assert debts.subjects().count(f"{SHOP}.orders.refund") == 1
    assert f"{SHOP}.orders.refund" not in debts.subjects()
    shop.charge = original  # type: ignore[attr-defined]


def test_a_dead_patcher_is_not_paid_for_by_another(debts: Debts, shop: types.ModuleType) -> None:
    mock.patch(CHARGE).start()
    assert debts.subjects() == [CHARGE]
    register, other = debts.area._register, mock.patch(f"{SHOP}.orders.refund")
    (told,) = register.told.values()
    register.told[id(other)] = told
    assert register.close(other) is None
    assert debts.subjects() == [CHARGE]
    del register.told[id(other)]
    mock.patch.stopall()


def held(area: Patches) -> Iterable[object]:
    return [kept for kept in vars(area._register).values() if isinstance(kept, (list, dict)) and kept]


def test_stop_lets_go_of_everything(debts: Debts) -> None:
    mock.patch(CHARGE).start()
    debts.look()
    mock.patch(f"{SHOP}.orders.refund").start()
    assert held(debts.area)
    debts.area.stop()
    assert not held(debts.area)
    mock.patch.stopall()
