"""A security test expects any `Exception`, and looks at nothing of it.

The test says "a bad certificate is rejected". `raises(Exception)` is also satisfied by a typo in the
test, a missing argument, a refused connection: the rejection itself may be gone, and the test is
green for another reason.

Instead: name the exact error of the rejection, or check its text with `match=`.

A comment on the line or above it is taken as the author's reason.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.source import Role, Scope, TestModule, source_of, terminal_name
from pytest_secaudit.source.oracles import is_builtin_error, is_raises, is_read, last_call, nodes_of, stored_names
from pytest_secaudit.source.syntax import WITHS

BAD = (
    """
import asyncio
import pytest
from shop.tls import connect, decrypt

def test_no_cert_is_rejected(host):
    with pytest.raises((asyncio.TimeoutError, Exception)):  # PSA205
        connect(host)

def test_wrong_nonce_of_token():
    with pytest.raises(Exception) as error:  # PSA205
        decrypt(b"x", nonce=b"y")

def test_signature_call_form():
    pytest.raises(Exception, decrypt, b"x")  # PSA205
""",
    """
class TestLogin(TestCase):
    def test_login_refused(self):
        with self.assertRaises(BaseException):  # PSA205
            self.login("x")
        self.assertRaises(Exception, self.login, "x")  # PSA205
""",
)
GOOD = (
    """
import pytest
from shop.tls import CertificateError, connect

def test_cert_exact(host):
    with pytest.raises(CertificateError):
        connect(host)

def test_cert_match(host):
    with pytest.raises(Exception, match="certificate"):
        connect(host)

def test_cert_check(host):
    with pytest.raises(Exception, check=lambda e: e.code == 3):
        connect(host)

def test_cert_read_later(self, host):
    with pytest.raises(Exception) as caught:
        connect(host)
    assert "certificate" in str(caught.value)
    error = pytest.raises(Exception, connect, host)
    assert error.value.code == 3
    with self.assertRaises(Exception) as self.caught:
        connect(host)

def test_cert_regex(self, host):
    with self.assertRaisesRegex(Exception, "certificate"):
        connect(host)
""",
    """
import pytest
from shop.tls import connect

def test_cert_comment(host):
    # the error is OpenSSL's own and differs between its versions
    with pytest.raises(Exception):
        connect(host)
    with pytest.raises(Exception):  # any of three errors
        connect(host)
    with pytest.raises(Exception):  # noqa: B017
        connect(host)
    with pytest.raises(Exception):
        # the exact error is unspecified
        connect(host)

def test_client_session(host):
    with pytest.raises(Exception):
        connect(host)

def test_scope_of_timeseries(host):
    with pytest.raises(Exception):
        connect(host)
""",
    """
import pytest
from shop.tls import connect

def test_cert_injected(mocker, host):
    mocker.patch("shop.tls.wrap", side_effect=Exception("boom"))
    with pytest.raises(Exception):
        connect(host)

@mock.patch("shop.tls.wrap", side_effect=Exception)
def test_cert_injected_by_decorator(wrap, host):
    with pytest.raises(Exception):
        connect(host)

def test_cert_injected_by_function(monkeypatch, host):
    def wrap():
        raise Exception("boom")
    monkeypatch.setattr("shop.tls.wrap", wrap)
    with pytest.raises(Exception):
        connect(host)
""",
    """
import pytest
from shop.tls import connect, Exception

def test_cert_own_exception(host):
    with pytest.raises(Exception):
        connect(host)

def test_token_fail_exception(host):
    with pytest.raises(pytest.fail.Exception):
        connect(host)
""",
    """
import pytest

class FakeTls:
    def wrap(self):
        raise Exception("boom")

def test_cert_injected_by_fake():
    with pytest.raises(Exception):
        connect(FakeTls())
""",
)

_BROAD = ("Exception", "BaseException")
_NOT_PROSE = re.compile(r"^(type:|pragma|fmt:|pylint|isort|PSA\d+)")


def rule(module: TestModule) -> Iterator[Hit]:
    for call, scope in module.calls("raises", "assertRaises"):
        broad = _broad_type(module, scope, call)
        test = scope.outermost
        if broad is None or module.role(test) is not Role.TEST:
            continue
        word = security_word(test.name) or security_word(module.path.rpartition("/")[2])
        if word is not None and not _is_looked_at(scope, call) and not _is_meant(module, scope, call):
            yield _hit(scope, call, broad, word)


def _hit(scope: Scope, call: ast.Call, broad: str, word: str) -> Hit:
    return Hit(
        call,
        f"raises({broad}) is also satisfied by a typo or a broken set-up, not only by the rejection",
        fix=_fix(scope, call),
        security=word,
    )


def _fix(scope: Scope, call: ast.Call) -> str:
    """How it would be written, around the user's own call."""
    statement = scope.parent(scope.parent(call) or call)
    about = last_call(statement.body) if isinstance(statement, WITHS) else None
    code = ""
    if about is not None:
        code = source_of(about[0])
    elif len(call.args) > 1:
        code = source_of(ast.Call(call.args[1], call.args[2:], call.keywords))
    written = source_of(call.func)
    if terminal_name(call.func) == "assertRaises":
        example = f"{written.removesuffix('assertRaises')}assertRaisesRegex(..., ...)"
        advice = "use assertRaisesRegex"
    else:
        example = f"{written}(..., match=...)"
        advice = "add match="
    return f"{advice} and expect the precise exception, e.g. with {example}{': ' if code else ''}{code}"


def _broad_type(module: TestModule, scope: Scope, call: ast.Call) -> str | None:
    """``Exception`` or ``BaseException`` where it is expected, alone or in a tuple, with no further condition."""
    if not is_raises(module, scope, call) or any(keyword.arg in ("match", "check", None) for keyword in call.keywords):
        return None
    first = call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "expected_exception"), None)
    for item in first.elts if isinstance(first, ast.Tuple) else [first]:
        if is_builtin_error(module, scope, item, *_BROAD):
            return terminal_name(item) if item is not None else None
    return None


def _is_looked_at(scope: Scope, call: ast.Call) -> bool:
    """Whether something reads the exception that was caught."""
    parent = scope.parent(call)
    if isinstance(parent, ast.withitem):
        variable = parent.optional_vars
        if variable is None:
            return False
        names = stored_names([variable])
        return not isinstance(variable, ast.Name) or is_read(scope, names, ())
    # The call form stands alone; anything else uses what it returns.
    return not (isinstance(parent, ast.Expr) and len(call.args) > 1)


def _is_meant(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    """Whether a comment on it, above it or at the top of its block gives a reason, or the test injects the error."""
    statement = scope.parent(scope.parent(call) or call)
    last = statement.body[0].lineno if isinstance(statement, WITHS) else call.end_lineno or call.lineno
    comments = module.comments(scope.outermost)
    near = (comments.get(line, "") for line in range(call.lineno - 1, last + 1))
    return any(text and not _NOT_PROSE.match(text) for text in near) or _injects(module, scope.outermost)


def _injects(module: TestModule, test: Scope) -> bool:
    """Whether the test, or a fake of the file, raises a plain ``Exception`` itself."""
    if module.once(_raises_plain_exception):
        return True
    set_ups = [
        s for s in (test.enclosing.children if test.enclosing else ()) if module.role(s) in (Role.SETUP, Role.FIXTURE)
    ]
    for function in (test, *set_ups):
        for scope in function.within():
            nodes = [*nodes_of([scope.node.body] if isinstance(scope.node, ast.Lambda) else scope.body)]
            nodes += nodes_of(decorator for _, decorator in module.decorators(scope))
            if any(_is_given_away(module, scope, node) for node in nodes):
                return True
    return False


def _is_given_away(module: TestModule, scope: Scope, node: ast.AST) -> bool:
    """``side_effect=Exception``, ``set_exception(Exception("x"))``: as an argument, not as an expected type."""
    values: list[ast.expr] = []
    if isinstance(node, ast.Call) and terminal_name(node.func) not in ("raises", "assertRaises", "isinstance"):
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
    elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        values = [node.value]
    return any(
        is_builtin_error(module, scope, inner, *_BROAD)
        for value in values
        for inner in ast.walk(value)
        if isinstance(inner, ast.Name)
    )


def _raises_plain_exception(module: TestModule) -> bool:
    for node, scope in module.each(ast.Raise):
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if is_builtin_error(module, scope, error, *_BROAD):
            return True
    return False


CHECK = Check("PSA205", "broad-raises-in-security-test", DEFECT, __doc__, BAD, GOOD, rule, cwe=396)
