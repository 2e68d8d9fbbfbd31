"""A test, set-up or fixture assigns to what it imported and does not put it back on every path.

`requests.post = Mock()` replaces `requests.post` for the whole process: every later test talks to the stand-in of this
one, and passes or fails for a reason that its own code does not show. When a check of rights or of a certificate is
replaced, the tests behind it prove nothing any more. A restore in a straight line is skipped by the first failing
assertion.

Instead: use `mock.patch.object` or `monkeypatch.setattr`, which put the attribute back whatever happens.

It is *advisory* when the new value is a stand-in (a mock, a lambda, a function of the test, something named fake or
stub), when the name is about security, or when it belongs to the standard library or to a well-known package; a
plain value for a name of the project is *info*, as about one in ten of those is put back by the code under test or was
that value before. Emptying values (`None`, `False`, `[]`) are not reported: the run
watches the name instead. What a fixture, a base class, a decorator or a clean-up undoes is not reported either; nor
what the test, after a call, asserts to be another by then, options of oslo.config, and values that were there before.

It is a *defect* when a run has seen it stay. The run finds replacements that were not suspected, too: a mock, or a
function or class of a test, in a module of the project, or in one of others that the project's modules import by name.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import ADVISORY, DEFECT, INFO, Check, Hit, Question, Suspicion
from pytest_secaudit.places import Place
from pytest_secaudit.source import Role, Scope, TestModule, own_nodes, terminal_name
from pytest_secaudit.source.changes import MODULES, Change, changes_in
from pytest_secaudit.source.left import Left, by_patching, left, place_of, stands_in
from pytest_secaudit.source.oracles import is_assertion
from pytest_secaudit.source.patchers import set_on_mock_class
from pytest_secaudit.source.restores import setups
from pytest_secaudit.source.switches import switching
from pytest_secaudit.source.temporary import replaced_by

BAD = (
    """
import time
from unittest import mock
import requests
from shop import orders
from shop.gateway import Gateway

def fake_charge(amount):
    return True

def test_stand_ins():
    requests.post = mock.Mock(return_value=1)  # PSA501 advisory
    orders.charge = fake_charge  # PSA501 advisory
    Gateway.connect = lambda self: None  # PSA501 advisory
    time.sleep = orders.nothing  # PSA501 advisory
    setattr(orders, "refund", mock.Mock())  # PSA501 advisory
    assert orders.buy()

def test_security():
    orders.verify_signature = orders.always  # PSA501 advisory
    assert orders.buy()

def test_plain_values():
    orders.LIMIT = 3  # PSA501 info
    orders.count += 1  # PSA501 info
    assert orders.buy()

def test_asserts_what_it_has_set():
    orders.CURRENCY = "EUR"  # PSA501 info
    orders.charge_all()
    assert orders.CURRENCY == "EUR"

def test_reads_it_again():
    orders.PAGES = orders.some()  # PSA501 info
    found = orders.find()
    assert found.pages == orders.PAGES

def test_asserts_of_its_stand_in():
    orders.mail = mock.Mock()  # PSA501 advisory
    orders.buy()
    assert orders.mail.called

def test_straight():
    old = orders.charge
    orders.charge = mock.Mock()  # PSA501 advisory
    assert orders.buy()
    orders.charge = old

def test_switched_off_and_on():
    orders.LIMITED = False  # PSA501 info
    result = orders.buy()
    orders.LIMITED = True
    assert result
""",
    """
import unittest
from unittest.mock import MagicMock, patch
import pytest
from ..shop import orders

class TestOrders(unittest.TestCase):
    def setUp(self):
        orders.charge = MagicMock()  # PSA501 advisory

    def test_the_stand_in_is_set_up_once(self):
        orders.charge.retry = MagicMock()
        orders.charge.return_value = 3

    @patch("time.sleep")
    def test_another_place_is_patched(self, sleep):
        orders.refund = MagicMock()  # PSA501 advisory
        assert orders.buy()

@pytest.fixture
def gateway():
    from shop import gateway
    gateway.connect = MagicMock()  # PSA501 advisory
    return gateway

def test_first_emptied():
    orders.cache = None
    orders.buy()
    orders.cache = MagicMock()  # PSA501 advisory
    assert orders.buy()

def test_stopall_does_not_know_it(request):
    request.addfinalizer(patch.stopall)
    orders.mail = MagicMock()  # PSA501 advisory
""",
)
GOOD = (
    """
# the code under test sets it again, as the test asserts
import unittest
from shop import orders, rpc
from shop.orders import Service
from shop.config import CONF

class TestService(unittest.TestCase):
    def test_start(self):
        before = Service.service_id
        Service.service_id = before + 1
        self.assertNotEqual(before, Service.service_id)
        Service().start()
        self.assertEqual(before, Service.service_id)

    def test_forget(self):
        orders.CACHE = {"apple": 1}
        self.assertIn("apple", orders.CACHE)
        orders.forget("apple")
        self.assertNotIn("apple", orders.CACHE)

    def test_options(self):
        CONF.profiler.enabled = True
        orders.CONF.limit = 3
        orders.run()

def test_reset(self):
    rpc.LAST_VERSION = 123
    orders.use_current()
    assert rpc.LAST_VERSION is None
""",
    """
# PSA504 and PSA401 report these
from unittest import mock
from shop.main import settings

def test_mocks(shop):
    mock.Mock.answer = 42
    assert shop.run()

def test_switch(client):
    settings.PERMISSION_CHECKS = lambda user: True
    assert client.get("/")
""",
    """
from unittest import mock
import pytest
from shop import orders
import shop.orders as same

def test_finally():
    old = orders.charge
    orders.charge = mock.Mock()
    try:
        assert orders.buy()
    finally:
        orders.charge = old

@mock.patch.object(orders, "charge")
def test_decorated(charge):
    orders.charge = mock.Mock()

@mock.patch("shop.orders")
def test_inside_a_mock(module):
    orders.charge = mock.Mock()

@mock.patch("shop.orders.gateway", autospec=True)
class TestClass:
    def test_it(self, gateway):
        orders.gateway.connect = lambda: None

def test_monkeypatched(monkeypatch):
    monkeypatch.setattr(orders, "charge", None)
    orders.charge = mock.Mock()
    same.charge.retry = mock.Mock()

def test_with():
    with mock.patch.multiple("shop.orders", charge=1, refund=2):
        orders.refund = mock.Mock()

def test_mocker(mocker):
    mocker.patch("shop.orders.charge")
    orders.charge = mock.Mock()

@pytest.fixture
def stubbed():
    old, orders.charge = orders.charge, mock.Mock()
    yield
    orders.charge = old

def test_behaviour_of_a_mock():
    orders.charge.return_value = 3
    orders.charge.side_effect = ValueError

def test_read_only():
    with pytest.raises(AttributeError):
        orders.Order.total = 3
    try:
        orders.Order.total = 3
    except AttributeError:
        pass
""",
    """
import fixtures
import unittest
from unittest import mock
from django.test import override_settings
from django.conf import settings
from nova import context, objects, quota

class TestOpenStack(unittest.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch("nova.quota.QUOTAS", mock.Mock()))
        self.stub_out("nova.objects.Instance.save", lambda self: None)
        self.quota = quota.engine
        self.addCleanup(self._restore)

    def _restore(self):
        quota.engine = self.quota

    def test_it(self):
        quota.QUOTAS = mock.Mock()
        quota.engine = mock.Mock()
        objects.Instance.save = mock.Mock()
        context = mock.Mock()
        context.elevated = mock.Mock()

    def test_cleanup(self):
        self.addCleanup(setattr, quota, "limit", quota.limit)
        quota.limit = mock.Mock()

    def test_removal(self):
        self.addCleanup(delattr, quota, "extra")
        quota.extra = mock.Mock()

    def test_own_reset(self):
        self.addCleanup(quota.reset)
        quota.driver = mock.Mock()

    def test_trial(self):
        self.patch(quota, "limit", 3)
        quota.limit = mock.Mock()

@override_settings(DEBUG=True)
def test_settings():
    settings.SECRET = "x"
""",
    """
from unittest import mock
import unittest
from shop import orders

class Base(unittest.TestCase):
    def setUp(self):
        self.charge = orders.charge
        orders.charge = mock.Mock()

    def tearDown(self):
        orders.charge = self.charge

class TestDerived(Base):
    def test_it(self):
        orders.charge = mock.Mock(return_value=3)

class TestPatchers(unittest.TestCase):
    def setUp(self):
        patcher = mock.patch("shop.orders.refund")
        patcher.start()
        self.addCleanup(patcher.stop)

    def test_it(self):
        orders.refund = mock.Mock()

class TestSetUpWritesItAnew(unittest.TestCase):
    def setUp(self):
        orders.provider = None
        self.fake_gateway()

    def fake_gateway(self):
        self.stub_out("shop.orders.gateway", mock.Mock())

    def test_it(self):
        orders.provider = mock.Mock()

    def test_helper(self):
        self.fake_refund()
        orders.refund.by = mock.Mock()
        orders.gateway.by = mock.Mock()

    def fake_refund(self):
        self.stub_out("shop.orders.refund", mock.Mock())
""",
    """
import flask
import pytest
from shop import orders

def setup_loader_modules():
    return {orders: {}}

def test_loader():
    orders.__salt__ = {"a": lambda: 1}
""",
    """
import flask
import pytest
import warnings
from shop import orders

orders.configured = True

def test_context_locals():
    flask.g.user = object()
    flask.session.token = "x"

def test_reset():
    orders.cache = None
    orders.entries = {}
    orders.started = False

def helper():
    orders.charge = lambda: None

def test_shadowed(orders):
    orders.charge = lambda: None

def test_local():
    orders = object()
    orders.charge = lambda: None

@pytest.mark.patched_module("gevent")
def test_made_up_module(self):
    self.patching.modules("gevent")
    import gevent
    gevent.version_info = (1, 0)

def test_made_up_in_sys_modules(monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, "vendor", object())
    import vendor
    vendor.call = lambda: None

def test_namespace():
    pytest.shared = 3
    warnings.showwarning = print
""",
)

_CONTEXT_LOCALS = frozenset(
    ("flask.g", "flask.session", "flask.request", "quart.g", "quart.session", "quart.request", "bottle.request")
)
#: Reset by pytest itself, or the browser's objects under Pyodide.
_OTHERS = frozenset(("browser", "js", "pyodide", "pyscript", "pytest", "warnings"))
_KNOWN_PACKAGES = frozenset(
    """
    aiohttp boto3 botocore certifi click cryptography django flask httpx jwt kombu ldap numpy oslo_config oslo_messaging
    oslo_utils pandas paramiko psutil redis requests smtplib sqlalchemy tornado urllib3 yaml
    """.split()
)
_OF_A_MOCK = frozenset(("return_value", "side_effect"))
_LOADERS = frozenset(("configure_loader_modules", "setup_loader_modules"))


def rule(module: TestModule) -> Iterator[Hit | Suspicion]:
    if any(scope.name in _LOADERS for scope in module.root.children):
        return  # salt replaces the attributes of the modules that it loads, and puts them back
    others = {*switching(module), *(node for node, _, _ in set_on_mock_class(module))}  # of PSA401 and PSA504
    for found in left(module, "attribute", "item"):
        change = found.change
        if change.node in others:
            continue
        if _is_meant(found) and not _on_a_stand_in(module, change) and not _in_made_up_module(module, change):
            yield _finding(module, found)


def _is_meant(found: Left) -> bool:
    place = found.change.place
    owner, _, attribute = place.name.partition("[")[0].rpartition(".")
    return not (
        attribute in _OF_A_MOCK
        or owner in _CONTEXT_LOCALS
        or place.name.partition("[")[0] in _CONTEXT_LOCALS
        or place.name.partition(".")[0] in _OTHERS
        or place.name in ("sys.path", "sys.modules")
    )


def _on_a_stand_in(module: TestModule, change: Change) -> bool:
    """What the attribute belongs to was itself replaced before, by the function or a set-up of its class."""
    mine = change.scope.outermost
    return any(
        other.place.name != change.place.name
        and other.place.holds(change.place)
        and (scope.outermost is not mine or other.line < change.line)
        for outer in (mine, *setups(module, change.scope))
        for scope in outer.within()
        for other in changes_in(module, scope)
    )


def _in_made_up_module(module: TestModule, change: Change) -> bool:
    """The function imports the module itself, after it put a stand-in for it into `sys.modules`, or had that done."""
    outer = change.scope.outermost
    names = {change.place.name.partition(".")[0], change.place.name.rpartition(".")[0]}
    imports = {
        alias.name.partition(".")[0]
        for scope in outer.within()
        for node in scope.of(ast.Import)
        for alias in node.names
    }
    imports |= {(node.module or "").partition(".")[0] for scope in outer.within() for node in scope.of(ast.ImportFrom)}
    if names.isdisjoint(imports):
        return False
    return any(_stubs_modules(module, scope, call, names) for scope in outer.within() for call in scope.calls)


def _stubs_modules(module: TestModule, scope: Scope, call: ast.Call, names: set[str]) -> bool:
    if "module" in terminal_name(call.func).lower() or any(MODULES.holds(p) for p in replaced_by(module, scope, call)):
        return True
    return any(isinstance(argument, ast.Constant) and argument.value in names for argument in call.args)


def _finding(module: TestModule, found: Left) -> Hit | Suspicion:
    change = found.change
    name = change.place.name
    armed = change.place.area == "item" or found.weak or _is_configuration(change.place)
    if armed or _changes_again(module, change):
        return Suspicion(change.node, name.partition("[")[0], "changed-at-end-of-owner", found.message)
    word = security_word(name.rpartition(".")[2])
    return Hit(
        place_of(module, change),
        found.message,
        fix=by_patching(module, change) or "monkeypatch.setattr or mock.patch.object",
        severity=None if word or _is_foreign(module, change.place) or _is_stand_in(module, change) else INFO,
        security=word,
        subject=name,
        if_it_fails=found.restored is not None,
        unless=(*found.unless(module), *_of_the_value(module, change)),
    )


def _is_configuration(place: Place) -> bool:
    """An option of oslo.config: the fixtures of its users reset the whole of it."""
    return "CONF" in place.name.split(".")[:-1]


def _changes_again(module: TestModule, change: Change) -> bool:
    """Whether the test asserts, after a call, that the very attribute is another by then: the code under test resets it."""
    scope = change.scope
    if module.role(scope.outermost) is not Role.TEST or change.place.area != "attribute":
        return False
    checks = [node for node in (*scope.of(ast.Assert), *scope.of(ast.Expr)) if is_assertion(node)]
    assertions = sorted((node for node in checks if node.lineno > change.line), key=lambda node: node.lineno)
    inside = {id(node) for check in checks for node in own_nodes(check)}
    calls = [c.lineno for c in scope.calls if id(c) not in inside and c.lineno > _last_line(change.node)]
    for check in assertions:
        if calls and min(calls) < check.lineno:
            others = [part for part in _compared(check) if module.resolve(part, scope) != change.place.name]
            if len(others) < len(list(_compared(check))) and all(_is_from_before(part, change) for part in others):
                return True
    return False


def _is_from_before(part: ast.expr, change: Change) -> bool:
    """Whether a value was known before the change, and is not the one that the change writes."""
    if change.value is not None and ast.dump(part) == ast.dump(change.value):
        return False
    names = {node.id for node in own_nodes(part) if isinstance(node, ast.Name)}
    later = (
        node.id
        for node in own_nodes(change.scope.node)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.lineno > change.line
    )
    return names.isdisjoint(later) and not any(isinstance(node, ast.Call) for node in own_nodes(part))


def _last_line(node: ast.AST) -> int:
    line: int = getattr(node, "end_lineno", 0)
    return line


def _compared(check: ast.stmt) -> Iterator[ast.expr]:
    """The values that an assertion is about: the sides of the comparison, the arguments of the method."""
    if isinstance(check, ast.Assert):
        compared = check.test.operand if isinstance(check.test, ast.UnaryOp) else check.test
        yield from (compared.left, *compared.comparators) if isinstance(compared, ast.Compare) else (compared,)
    elif isinstance(check, ast.Expr) and isinstance(check.value, ast.Call):
        yield from check.value.args


def _of_the_value(module: TestModule, change: Change) -> Iterator[Question]:
    """Whether the place has that value already, or belongs to a configuration of oslo.config."""
    name = _live_name(module, change)
    if not name:
        return
    yield Question("oslo-config", (name.rpartition(".")[0],))
    values = {
        ast.dump(other.value) if other.value is not None else ""
        for scope in change.scope.outermost.within()
        for other in changes_in(module, scope)
        if other.place == change.place
    }
    literal = _literal(change.value)
    if literal and len(values) == 1:
        yield Question("already-equal", (name, literal))


def _live_name(module: TestModule, change: Change) -> str:
    """The attribute as the module has it; by its full name where a function has imported it."""
    name = change.place.name
    for local, full in module.imported_names().items():
        if name.startswith(f"{full}."):
            return f"{local}{name[len(full) :]}"
    return "" if name.startswith(".") else name


def _literal(value: ast.expr | None) -> str:
    """A plain literal as `repr` writes it; empty for anything else."""
    try:
        plain = ast.literal_eval(value) if value is not None else []
    except ValueError:
        return ""
    return repr(plain) if isinstance(plain, (str, int, float, bool)) or plain is None else ""


def _is_foreign(module: TestModule, place: Place) -> bool:
    """A name of the standard library or of a well-known package, unless that package's own tests are read."""
    root = place.name.partition(".")[0]
    return root in sys.stdlib_module_names or (root in _KNOWN_PACKAGES and root not in module.path.split("/"))


def _is_stand_in(module: TestModule, change: Change) -> bool:
    return change.value is not None and stands_in(module, change.scope, change.value)


CHECK = Check("PSA501", "hand-rolled-patch", DEFECT, __doc__, BAD, GOOD, rule, cwe=459, suspected=ADVISORY)
