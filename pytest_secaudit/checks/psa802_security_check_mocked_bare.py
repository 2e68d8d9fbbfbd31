"""A security check is replaced by a mock that agrees to everything.

A plain mock returns another mock, and that is true: every signature is right, every user is allowed.
It also takes any arguments, so the test stays green when the product calls the check wrongly or with
the wrong user, or leaves the call out.

Reading alone cannot tell whether the product calls the mock in this test at all, and most often it does
not: hence the level *info*.

Instead: say what the check answers (`return_value=True`, `side_effect=Forbidden`), keep its signature
(`autospec=True`), and assert what it was asked.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.lexicon import is_security_check, words
from pytest_secaudit.model import ADVISORY, INFO, Check, Hit
from pytest_secaudit.source import Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name
from pytest_secaudit.source.mocks import Replacement, replacements, resolved_target

BAD = (
    """
from unittest import mock
from unittest.mock import patch
import shop.policy

@mock.patch("shop.api.check_signature")  # PSA802
def test_webhook(check, client):
    assert client.post("/hook").status_code == 200

def test_order(client):
    with patch.object(shop.policy, "authorize"):  # PSA802
        assert client.get("/orders/1").ok

def test_login(mocker, client):
    mocker.patch("shop.auth.Backend.authenticate")  # PSA802
    assert client.post("/login").ok
""",
    """
from unittest import mock

class TestOrders:
    def setup_method(self):
        patcher = mock.patch("shop.tokens.verify_token")  # PSA802
        patcher.start()

    @mock.patch("shop.orders.load")
    @mock.patch("shop.orders.has_permission")  # PSA802
    def test_read(self, permission, load):
        load.return_value = 3
        assert read(1) == 3

@mock.patch("shop.tls.match_hostname", mock.Mock())  # PSA802
def test_connect():
    assert connect()
""",
)
GOOD = (
    # the answer, the signature or the replacement is given
    """
from unittest import mock
from unittest.mock import patch

@mock.patch("shop.api.check_signature", return_value=True)
@mock.patch("shop.api.authenticate", autospec=True)
@mock.patch("shop.api.verify_token", side_effect=ValueError)
@mock.patch("shop.api.has_permission", new=lambda user: True)
@mock.patch("shop.api.authorize", spec=len)
@mock.patch("shop.api.check_password", lambda *a: True)
@mock.patch("shop.api.validate_token", mock.Mock(return_value={"sub": "me"}))
@mock.patch("shop.api.is_authenticated", new_callable=mock.PropertyMock)
def test_hook(*mocks):
    assert hook()

OPTIONS = {"return_value": True}

def test_options():
    with patch("shop.api.authenticate", **OPTIONS):
        assert hook()
""",
    # configured later, or asserted on
    """
from unittest import mock

@mock.patch("shop.load")
@mock.patch("shop.authenticate")
def test_configured(authenticate, load):
    authenticate.return_value = None
    assert login() is None

class TestLogin:
    @mock.patch("shop.authorize")
    def test_asserted(self, authorize):
        login()
        authorize.assert_called_once_with("me")

    def test_with(self):
        with mock.patch("shop.verify_signature") as verify:
            verify.side_effect = ValueError
            assert not check()

    def test_started(self, mocker):
        self.check = mocker.patch("shop.check_permissions")
        self.check.return_value = True

    def setup_method(self):
        patcher = mock.patch("shop.check_token")
        self.check_token = patcher.start()
""",
    # other decorators inject arguments too: which parameter is the mock is not known
    """
from unittest import mock
import ddt

@ddt.data(1, 2)
@mock.patch("shop.authenticate")
def test_data(*args):
    assert args

@with_user
@mock.patch("shop.authenticate")
def test_unknown(user, authenticate):
    authenticate.return_value = user
""",
    # which parameter is the mock is not known either
    """
from unittest import mock
import ddt

@ddt.ddt
class TestCreate:
    @ddt.data([], ["entry"])
    @mock.patch("shop.images.verify_signature")
    @mock.patch("shop.images.info")
    def test_create(self, metadata, info, verify):
        verify.return_value = True
        assert create(metadata)
""",
    # the test switches the check off: the mock only makes sure of it
    """
from unittest import mock

class TestImage:
    @mock.patch("shop.images.verify_glance_image_signature")
    def test_clone(self, verify):
        self.flags(verify_glance_signatures="disabled")
        assert clone("image")

    @mock.patch("shop.images.check_upload_token")
    def test_upload(self, check):
        with settings(check_upload_tokens=False):
            assert upload("image")
""",
    # words that only look like a check of rights
    """
from unittest import mock

@mock.patch("shop.quota.enforce_limit")
@mock.patch("shop.orders.verify_total")
@mock.patch("shop.jobs.check_output")
@mock.patch("shop.certs.load_certificate")
@mock.patch("shop.auth.Authenticator")
@mock.patch("shop.auth.AUTHENTICATE_URL")
@mock.patch("shop.auth.create_token")
@mock.patch("shop.auth.login_url")
@mock.patch("shop.volumes.validate_connector")
def test_other(*mocks):
    assert run()
""",
)

_SAYS_SOMETHING = frozenset(
    ("autospec", "new", "new_callable", "return_value", "side_effect", "spec", "spec_set", "wraps")
)


def rule(module: TestModule) -> Iterator[Hit]:
    for replacement in replacements(module):
        name = replacement.target.rpartition(".")[2]
        if replacement.form in ("patch", "patch.object") and is_security_check(name):
            if _says_nothing(replacement) and not _is_used(module, replacement):
                yield _hit(module, replacement, name)


def _hit(module: TestModule, replacement: Replacement, name: str) -> Hit:
    return Hit(
        replacement.call,
        f"{name} is replaced by a mock that agrees to everything",
        fix=f"{_shown(replacement)}, autospec=True, return_value=...) and assert what it was asked",
        security=name,
        subject=resolved_target(module, replacement),
    )


def _shown(replacement: Replacement) -> str:
    """The user's own call without a bare ``Mock()``, left open for what is to be added."""
    call = replacement.call
    options = [keyword for keyword in call.keywords if keyword.value is not replacement.new]
    arguments = [argument for argument in call.args if argument is not replacement.new]
    return source_of(ast.Call(call.func, arguments, options), 80).rstrip(".)")


def _says_nothing(replacement: Replacement) -> bool:
    """Neither a signature nor an answer is given; ``new=Mock()`` says no more than no ``new``."""
    options = {keyword.arg for keyword in replacement.call.keywords}
    if None in options or not options.isdisjoint(_SAYS_SOMETHING - {"new"}):
        return False
    if any(isinstance(argument, ast.Starred) for argument in replacement.call.args):
        return False
    new = replacement.new
    return new is None or (
        isinstance(new, ast.Call)
        and terminal_name(new.func) in ("Mock", "MagicMock", "AsyncMock")
        and not new.args
        and not new.keywords
    )


def _is_used(module: TestModule, replacement: Replacement) -> bool:
    """Whether the mock is configured or asserted on, or might be."""
    function = _decorated(module, replacement)
    if _switches_off(function or replacement.scope, replacement.target.rpartition(".")[2]):
        return True
    if function is not None:
        return _decorates_unclearly(module, function, replacement)
    return _is_bound(replacement)


def _switches_off(function: Scope, name: str) -> bool:
    """``self.flags(verify_signatures="disabled")``: the product is told to leave the check out."""
    checked = _singular(name)
    return any(
        keyword.arg is not None
        and isinstance(keyword.value, ast.Constant)
        and (keyword.value.value is False or keyword.value.value == "disabled")
        and len(checked & _singular(keyword.arg)) >= 2
        for inner in (function.within() if function.is_function else ())
        for call in inner.calls
        for keyword in call.keywords
    )


def _singular(name: str) -> set[str]:
    return {word.removesuffix("s") for word in words(name)}


def _decorated(module: TestModule, replacement: Replacement) -> Scope | None:
    for child in replacement.scope.children:
        if replacement.call in getattr(child.node, "decorator_list", ()):
            return child
    return None


def _decorates_unclearly(module: TestModule, function: Scope, replacement: Replacement) -> bool:
    """Whether the parameter that takes the mock is read, or cannot be told."""
    if function.is_class:
        return replacement.new is None  # every method takes it
    if replacement.new is not None:
        return False
    arguments: ast.arguments = function.node.args  # type: ignore[attr-defined]
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    if names[:1] in (["self"], ["cls"]):
        names = names[1:]
    injecting = [node for _, node in reversed(list(module.decorators(function)))]
    injected = [_injects(module, node) for node in injecting]
    if any(count is None for count in injected):
        return True
    position = sum(count or 0 for count in injected[: injecting.index(replacement.call)])
    if position >= len(names):
        return True  # *args, or a decorator that nobody has thought of
    return any(
        isinstance(node, ast.Name) and node.id == names[position]
        for inner in function.within()
        for node in own_nodes(inner.node)
    )


def _injects(module: TestModule, decorator: ast.expr) -> int | None:
    """How many arguments a decorator adds in front of the others; None where that is not known."""
    known = {replacement.call: replacement for replacement in replacements(module)}
    if isinstance(decorator, ast.Call) and decorator in known:
        return 0 if known[decorator].new is not None or "new" in known[decorator].options else 1
    name = dotted_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if (
        name.endswith("patch.dict")
        or name.startswith("pytest.mark.")
        or name.rpartition(".")[2] in ("override_settings", "skipIf", "skipUnless")
    ):
        return 0
    return None


def _is_bound(replacement: Replacement) -> bool:
    """``with ... as m``, ``m = patch(...)``: bound to something that is used elsewhere than to start and stop it."""
    scope = replacement.scope
    parent = scope.parent(replacement.call)
    if isinstance(parent, ast.withitem):
        return parent.optional_vars is not None and _is_read(scope, parent.optional_vars)
    while isinstance(parent, (ast.Attribute, ast.Call)) and (
        (isinstance(parent, ast.Attribute) and parent.attr == "start")
        or (isinstance(parent, ast.Call) and terminal_name(parent.func) == "start")
    ):
        parent = scope.parent(parent)
    if isinstance(parent, ast.Expr):
        return False
    if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
        return _is_read(scope, parent.targets[0])
    return True


def _is_read(scope: Scope, target: ast.expr) -> bool:
    """Whether a bound name is used for more than ``.start()`` and ``.stop``."""
    if not isinstance(target, ast.Name):
        return True
    for inner in scope.outermost.within():
        for node in own_nodes(inner.node):
            if isinstance(node, ast.Name) and node.id == target.id and isinstance(node.ctx, ast.Load):
                parent = inner.parent(node)
                if not (isinstance(parent, ast.Attribute) and parent.attr in ("start", "stop")):
                    return True
                if parent.attr == "start" and not _is_dropped(inner, parent):
                    return True
    return False


def _is_dropped(scope: Scope, start: ast.Attribute) -> bool:
    call = scope.parent(start)
    return isinstance(call, ast.Call) and isinstance(scope.parent(call), ast.Expr)


CHECK = Check("PSA802", "security-check-mocked-bare", ADVISORY, __doc__, BAD, GOOD, rule, suspected=INFO)
