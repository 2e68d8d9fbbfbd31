"""`stop` is called on the mock that a patcher returned, not on the patcher: the patch is never taken back.

`start()` returns the mock. Its `stop` is just another attribute that the mock makes up, and calling it does
nothing: the replaced function stays replaced for every later test, unless somebody else happens to call
`mock.patch.stopall()`.

Instead: keep the patcher and hand over its `stop`: `patcher = mock.patch(...)`, `patcher.start()`,
`self.addCleanup(patcher.stop)`.

Where the patched object was made by the test itself, nobody else meets the patch: an advisory. So it is where the
class has a base from another file (that of oslotest calls `stopall` for every test), or where this file does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import TestModule, dotted_name, parameter_names, source_of
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.patchers import Started, all_stopped_around, started, stopped_on_the_mock

BAD = (
    """
import unittest
from unittest import mock

class TestOrders(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("shop.orders.charge")
        charge = patcher.start()
        self.addCleanup(charge.stop)  # PSA503
        self.refund = mock.patch("shop.orders.refund").start()
        self.login = mock.patch("shop.login", new=mock.Mock()).start()
        self.addCleanup(self.login.stop)  # PSA503

    def tearDown(self):
        self.refund.stop()  # PSA503

class TestSeveral(unittest.TestCase):
    def setUp(self):
        m = mock.patch("shop.db.configure")
        self.db = m.start()
        self.addCleanup(self.db.stop)  # PSA503
        m = mock.patch("shop.api.configure")
        self.api = m.start()
        self.addCleanup(self.api.stop)  # PSA503

    def test_own_object(self):
        shop = Shop()
        charge = mock.patch.object(shop, "charge").start()
        self.addCleanup(charge.stop)  # PSA503 advisory

def test_plain(request):
    sleep = mock.patch.object(shop.time, "sleep", autospec=True).start()
    request.addfinalizer(sleep.stop)  # PSA503
""",
    """
# a base of another file may call stopall; so may this one
import unittest
import oslotest.base
from unittest import mock

class Base(unittest.TestCase):
    pass

class TestOfThisFile(Base):
    def setUp(self):
        self.charge = mock.patch("shop.orders.charge").start()
        self.addCleanup(self.charge.stop)  # PSA503

class TestOfAnotherFile(oslotest.base.BaseTestCase):
    def setUp(self):
        self.charge = mock.patch("shop.orders.charge").start()
        self.addCleanup(self.charge.stop)  # PSA503 advisory

class TestAllStopped(Base):
    def setUp(self):
        self.addCleanup(mock.patch.stopall)
        self.charge = mock.patch("shop.orders.charge").start()
        self.addCleanup(self.charge.stop)  # PSA503 advisory
""",
)
GOOD = (
    """
# no module is called self: start() raises before anything is patched
from unittest import mock

class TestOrders:
    def test_it(self):
        log = mock.patch("self.shop.LOG").start()
        log.stop()
""",
    """
# the patcher is stopped
import unittest
from unittest import mock

class TestOrders(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("shop.orders.charge")
        self.charge = patcher.start()
        self.addCleanup(patcher.stop)
        self.patcher = mock.patch("shop.orders.refund")
        self.refund = self.patcher.start()

    def tearDown(self):
        self.patcher.stop()
""",
    """
# what is put in has a stop of its own
from unittest import mock

def test_server():
    server = mock.patch("shop.server", new=FakeServer()).start()
    server.stop()
    other = mock.patch("shop.server", new_callable=FakeServer).start()
    other.stop()
""",
    """
# not the mock of a patcher; or the mock's stop is the subject
from unittest import mock

def test_thread():
    thread = make_thread()
    handle = thread.start()
    handle.stop()

def test_subject(service):
    patcher = mock.patch("shop.thread")
    thread = patcher.start()
    service.close()
    thread.stop.assert_called_once_with()
    patcher.stop()

def test_reused():
    clock = mock.patch("shop.clock").start()
    clock = Clock()
    clock.stop()

def test_both():
    patcher = mock.patch("shop.thread")
    thread = patcher.start()
    thread.stop()
    patcher.stop()
""",
    """
# pytest-mock takes everything back by itself
def test_mocker(mocker):
    charge = mocker.patch("shop.orders.charge")
    mocker.stop(charge)
""",
)


def rule(module: TestModule) -> Iterator[Hit]:
    for begun in started(module):
        if not _is_of_the_test(begun):
            yield from (_hit(module, begun, call) for call in stopped_on_the_mock(module, begun))


def _is_of_the_test(begun: Started) -> bool:
    """``patch("self.shop.charge")``: there is no module of that name, so that ``start`` raises."""
    first = begun.patch.args[0] if begun.patch.args else None
    return isinstance(first, ast.Constant) and str(first.value).startswith(("self.", "cls."))


_PLAIN_BASES = frozenset(
    """
    builtins.object object unittest.IsolatedAsyncioTestCase unittest.TestCase unittest.async_case.IsolatedAsyncioTestCase
    unittest.case.TestCase
    """.split()
)


def _stays(module: TestModule, begun: Started) -> bool:
    """Nobody else can take the patch back: no base class of another file, which may call ``stopall``."""
    if all_stopped_around(module, begun.scope):
        return False
    lineage = list(module.lineage(begun.scope.outermost.owner_class))
    bases = [(base, cls) for cls in lineage for base in getattr(cls.node, "bases", ())]
    if any(getattr(cls.node, "keywords", ()) for cls in lineage):
        return False
    return all(
        module.resolve(base, cls.enclosing or module.root) in _PLAIN_BASES
        or module.definition(base, cls.enclosing or module.root) in lineage
        for base, cls in bases
    )


def _dies_with_the_test(module: TestModule, begun: Started) -> bool:
    """An attribute of an object that the test or its set-up has made: nobody else meets the patch."""
    first = begun.patch.args[0] if begun.patch.args else None
    if first is None or isinstance(first, ast.Constant):
        return False
    root = dotted_name(first).partition(".")[0]
    binder = module.binder(root, begun.scope) if root else None
    return binder is not None and binder.is_function and not module.resolve(first, begun.scope)


def _hit(module: TestModule, begun: Started, call: ast.Call) -> Hit:
    target = next((resolved_target(module, r) for r in replacements(module) if r.call is begun.patch), "")
    what = target or "what it replaces"
    stays = not _dies_with_the_test(module, begun) and _stays(module, begun)
    ends = f"{what} stays patched" if stays else f"it does not end the patch of {what}"
    return Hit(
        call,
        f"{begun.mock}.stop belongs to the mock, not to the patcher: {ends}",
        fix=_fix(module, begun, call),
        severity=None if stays else ADVISORY,
        subject=target or None,
    )


def _fix(module: TestModule, begun: Started, call: ast.Call) -> str:
    """The clean-up with the names of the user: the one that is there, or that of the test class or the fixture."""
    patcher = begun.patcher or "patcher"
    stop = f"{patcher}.stop"
    if call.args:
        stop = f"{source_of(call.func)}({stop})"
    elif begun.scope.outermost.owner_class is not None and parameter_names(begun.scope.outermost.node)[:1] == ["self"]:
        stop = f"self.addCleanup({stop})"
    else:
        stop = f"{stop}()"
    return stop if begun.patcher else f"{patcher} = {source_of(begun.patch)}; {patcher}.start(); {stop}"


CHECK = Check("PSA503", "stop-on-the-mock", DEFECT, __doc__, BAD, GOOD, rule, cwe=459)
