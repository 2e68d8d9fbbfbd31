"""`stop` is called on the mock that a patcher returned, not on the patcher: the patch is never taken back.

`start()` returns the mock. Its `stop` is just another attribute that the mock makes up, and calling it does
nothing: the replaced function stays replaced for every later test, unless somebody else happens to call
`mock.patch.stopall()`.

Instead: keep the patcher and hand over its `stop`: `patcher = mock.patch(...)`, `patcher.start()`,
`self.addCleanup(patcher.stop)`.

Where the patched object was made by the test itself, nobody else meets the patch: an advisory.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit
from pytest_secaudit.source import Scope, TestModule, dotted_name, own_nodes
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.patchers import MOCK_CLASSES, Started, is_stopped, places_to_stop, started

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
)
GOOD = (
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

_CLEANUPS = frozenset(
    "addAsyncCleanup addClassCleanup addCleanup addModuleCleanup add_cleanup addfinalizer callback".split()
)


def rule(module: TestModule) -> Iterator[Hit]:
    for begun in started(module):
        if (
            begun.mock
            and _gives_a_mock(module, begun)
            and not is_stopped(module, begun)
            and _is_bound_once(module, begun)
        ):
            for scope in places_to_stop(module, begun.scope, begun.mock):
                yield from (_hit(module, begun, call) for call in _stops(scope, begun.mock))


def _gives_a_mock(module: TestModule, begun: Started) -> bool:
    """``start`` returns a mock, and not something that was put in and may have a ``stop`` of its own."""
    options = {keyword.arg: keyword.value for keyword in begun.patch.keywords}
    written = module.resolve(begun.patch.func, begun.scope)
    if written.endswith((".dict", ".multiple")) or None in options:
        return False
    position = 2 if written.endswith(".object") else 1
    new = begun.patch.args[position] if len(begun.patch.args) > position else options.get("new")
    made_by = new.func if isinstance(new, ast.Call) else options.get("new_callable")
    if new is None and made_by is None:
        return True
    return made_by is not None and module.resolve(made_by, begun.scope) in MOCK_CLASSES


def _is_bound_once(module: TestModule, begun: Started) -> bool:
    stores = [
        node
        for scope in places_to_stop(module, begun.scope, begun.mock)
        for node in own_nodes(scope.node)
        if isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Store)
        and dotted_name(node) == begun.mock
    ]
    return len(stores) == 1


def _stops(scope: Scope, mock: str) -> Iterator[ast.Call]:
    for call in scope.calls:
        if dotted_name(call.func) == f"{mock}.stop" and not call.args:
            yield call
        elif isinstance(call.func, ast.Attribute) and call.func.attr in _CLEANUPS:
            if call.args and dotted_name(call.args[0]) == f"{mock}.stop":
                yield call


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
    return Hit(
        call,
        f"{begun.mock}.stop belongs to the mock, not to the patcher: {target or 'what it replaces'} stays patched",
        fix=f"call stop on the patcher, {begun.patcher}.stop" if begun.patcher else "keep the patcher and stop that",
        severity=ADVISORY if _dies_with_the_test(module, begun) else None,
        subject=target or None,
    )


CHECK = Check("PSA503", "stop-on-the-mock", DEFECT, __doc__, BAD, GOOD, rule, cwe=459)
