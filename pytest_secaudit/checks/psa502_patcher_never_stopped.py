"""A patch is started by hand and nothing in the file stops it.

`mock.patch(...).start()` replaces something until its `stop()` is called. When nobody calls it, the replacement
stays for every later test of the session: a password check or a clock that is a mock from there on.

Instead: use `with mock.patch(...)`, the decorator, `monkeypatch` or pytest-mock's `mocker`; or register
`self.addCleanup(patcher.stop)` in the line after `start()`.

Reading alone reports nothing here: a base class from another package may well stop everything. It only hands the line
on to be watched, and a finding it becomes when a run has seen the patch still in place at the end.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Suspicion
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.patchers import Started, all_stopped_around, is_stopped, started, stopped_on_the_mock

BAD = (
    """
import unittest
from unittest import mock
from unittest.mock import patch
import shop

mock.patch("shop.clock.now").start()  # PSA502 armed

class TestOrders(unittest.TestCase):
    def setUp(self):
        mock.patch("shop.orders.charge").start()  # PSA502 armed
        self.refund = patch.object(shop.orders, "refund").start()  # PSA502 armed
        self.patcher = patch("shop.login")
        self.patcher.start()  # PSA502 armed

    def test_dict(self):
        patcher = mock.patch.dict("os.environ", {"A": "1"})
        patcher.start()  # PSA502 armed
""",
)
GOOD = (
    """
# stopped: by a clean-up, a tear-down, a fixture, in the function
import unittest
import pytest
from unittest import mock

class TestOrders(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("shop.orders.charge")
        patcher.start()
        self.addCleanup(patcher.stop)
        self.patcher = mock.patch("shop.orders.refund")
        self.patcher.start()

    def tearDown(self):
        self.patcher.stop()

@pytest.fixture
def charge():
    patcher = mock.patch("shop.orders.charge")
    yield patcher.start()
    patcher.stop()

def test_list():
    patchers = [mock.patch("shop.a"), mock.patch("shop.b")]
    for patcher in patchers:
        patcher.start()
    for patcher in patchers:
        patcher.stop()
""",
    """
# stopall, in the class or its base
import unittest
from unittest import mock

class Base(unittest.TestCase):
    def tearDown(self):
        mock.patch.stopall()

class TestOrders(Base):
    def setUp(self):
        mock.patch("shop.orders.charge").start()

class TestRefunds(unittest.TestCase):
    def setUp(self):
        self.addCleanup(mock.patch.stopall)
        mock.patch("shop.orders.charge").start()
""",
    """
# somebody else is given the patcher
import unittest
from unittest import mock

class TestOrders(unittest.TestCase):
    def patch(self, target):
        patcher = mock.patch(target)
        self.patchers.append(patcher)
        return patcher.start()

    def setUp(self):
        patcher = mock.patch("shop.clock")
        patcher.start()
        self.clock_patcher = patcher

def started():
    patcher = mock.patch("shop.clock")
    patcher.start()
    return patcher
""",
    """
# the patched object dies with the test
import unittest
from unittest import mock

class TestOrders(unittest.TestCase):
    def setUp(self):
        self.shop = Shop()
        mock.patch.object(self.shop, "charge").start()

    def test_local(self):
        shop = Shop()
        mock.patch.object(shop, "charge").start()
""",
    """
# stopped on the mock: PSA503 reports that
from unittest import mock

def test_charge(request):
    charge = mock.patch("shop.orders.charge").start()
    request.addfinalizer(charge.stop)
""",
    """
# other things that start
import threading

def test_thread():
    thread = threading.Thread(target=print)
    thread.start()
""",
)


def rule(module: TestModule) -> Iterator[Suspicion]:
    for begun in started(module):
        target = _target(module, begun)
        if not target or is_stopped(module, begun) or all_stopped_around(module, begun.scope):
            continue
        if next(stopped_on_the_mock(module, begun), None) is None:  # (PSA503 reports that one)
            yield Suspicion(
                begun.call,
                subject=target,
                confirmed_by="patch-open-at-end-of-owner",
                message=f"the patch of {target} is started and never stopped",
            )


def _target(module: TestModule, begun: Started) -> str:
    """What is replaced, if it outlives the test; empty for an attribute of an object that is made here."""
    first = begun.patch.args[0] if begun.patch.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value if not first.value.startswith("self.") else ""
    owner = module.resolve(first, begun.scope) if first is not None else ""
    if not owner:
        return ""
    known = next((resolved_target(module, r) for r in replacements(module) if r.call is begun.patch), "")
    return known or owner


CHECK = Check("PSA502", "patcher-never-stopped", DEFECT, __doc__, BAD, GOOD, rule, cwe=459)
