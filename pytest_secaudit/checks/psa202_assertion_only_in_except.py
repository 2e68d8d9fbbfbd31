"""The only assertions of a `try` stand in its `except`, and nothing requires the exception.

The test means "this must be rejected", and checks the error when there is one. When the product
stops rejecting, no exception is raised, the handler is skipped, and the test is green: the
exception is allowed, not required.

Instead: `with pytest.raises(TheError) as caught:` around the call, and the assertions behind it.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator

from pytest_secaudit.model import DEFECT, Check, Hit, Proof
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, parameter_names, source_of, terminal_name
from pytest_secaudit.source.oracles import (
    assertions_in,
    call_name,
    called,
    calls_in,
    is_builtin_error,
    is_failure,
    is_raises,
    is_read,
    last_call,
    lines_of,
    may_assert,
    nodes_of,
    passes_on,
    skips,
    start_of,
    statements_after,
    stored_names,
    tries,
)
from pytest_secaudit.source.syntax import LOOPS, TRIES, WITHS

BAD = (
    """
from shop.tls import SSLError, connect, verify

def test_bad_host(host):
    try:  # PSA202
        connect(host)
    except SSLError as error:
        assert "hostname" in str(error)
        assert error.host == host

def test_inside_a_with(host, mock):
    try:  # PSA202
        with mock.patch("shop.tls.log") as log:
            verify(host)
    except SSLError:
        log.warning.assert_called_once_with("no")

async def test_state_afterwards(host, client):
    try:  # PSA202
        await client.get(host)
    except SSLError as error:
        assert error.code == 3
    assert client.closed
""",
    """
import unittest

class TestConflict(unittest.TestCase):
    def test_duplicate(self):
        self.api.create("x")
        try:  # PSA202
            self.api.create("x")
        except Conflict as e:
            self.assertIn("Duplicate", repr(e))
            self.assertEqual(409, e.code)
        # any other exception fails the test

    def test_required_in_another_state(self):
        self.assertRaises(Conflict, self.api.create, "x")
        self.api.reset()
        try:  # PSA202
            self.api.create("x")
        except Conflict as e:
            self.assertEqual(409, e.code)

    def test_only_that_error(self):
        try:  # PSA202
            self.api.create("x")
        except Conflict as e:
            self.assertEqual(409, e.code)
        except Exception:
            self.fail("another error")

    def test_two_of_them(self):
        try:  # PSA202
            self.api.create("x")
        except Conflict as e:
            message = str(e)
            self.assertIn("Duplicate", message)
        try:
            self.api.create("y")
            self.fail("created")
        except Conflict as e:
            message = str(e)
            self.assertIn("Duplicate", message)
""",
)
GOOD = (
    """
import pytest
from shop.tls import SSLError, connect

def test_required(host):
    with pytest.raises(SSLError) as caught:
        connect(host)
    assert "hostname" in str(caught.value)

def test_fails_in_the_body(host):
    try:
        connect(host)
        pytest.fail("accepted")
    except SSLError as error:
        assert error.host == host

def test_fails_in_the_else(host):
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
    else:
        raise AssertionError("accepted")

def test_fails_afterwards(host):
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
        return
    assert False, "accepted"

def test_fails_afterwards_in_a_with(host, lock):
    with lock:
        try:
            connect(host)
        except SSLError as error:
            assert error.host == host
            return
    raise RuntimeError("accepted")
""",
    """
from shop.tls import SSLError, connect

def test_must_not_raise(self, host):
    try:
        connect(host)
    except SSLError as error:
        assert False, error
    try:
        connect(host)
    except SSLError:
        self.fail("rejected")
    try:
        connect(host)
    except SSLError as error:
        self.assertIsNone(error)
    try:
        connect(host)
    except SSLError as error:
        assert not error
    try:
        connect(host)
    except SSLError as error:
        self.assertTrue(False, str(error))
""",
    """
from shop.tls import SSLError, connect

def test_flag(host):
    caught = False
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
        caught = True
    assert caught

def test_flag_through_a_subscript(host):
    caught = [False]
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
        caught[0] = True
    assert caught[0]

def test_collected(host):
    errors = []
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
        errors.append(error)
    assert len(errors) == 1

class TestFlag:
    def test_attribute(self, host):
        try:
            connect(host)
        except SSLError as error:
            assert error.host == host
            self.caught = True
""",
    """
from shop.tls import SSLError, connect, parse

def test_search(hosts):
    found = 0
    for host in hosts:
        try:
            connect(host)
        except SSLError as error:
            assert error.host == host
            found += 1
    assert found == 2

def test_one_allowed_outcome(texts):
    for text in texts:
        try:
            parse(text)
        except SSLError as error:
            assert error.position >= 0
""",
    """
import pytest
from hypothesis import given
from shop.tls import SSLError, connect, parse

@given(texts())
def test_any_text(text):
    try:
        parse(text)
    except SSLError as error:
        assert error.position >= 0

def test_both_outcomes_are_checked(host):
    try:
        page = connect(host)
        assert page.ok
    except SSLError as error:
        assert error.host == host

def test_result_is_checked_afterwards(host):
    page = None
    try:
        page = connect(host)
    except SSLError as error:
        assert error.host == host
    if page:
        assert page.ok

@pytest.mark.parametrize("text, ok", [("a", True), ("b", False)])
def test_depends_on_the_parameter(text, ok):
    try:
        parse(text)
    except SSLError:
        assert not ok

@pytest.mark.parametrize("text, code", [("a", None), ("b", 2)])
def test_condition_on_the_parameter(text, code):
    try:
        parse(text)
    except SystemExit as error:
        if code is not None:
            assert error.code == code

def test_required_by_another_call(self, host):
    self.assertRaises(SSLError, connect, host, port=3)
    try:
        connect(host, port=3)
    except SSLError as error:
        assert error.host == host

def test_required_by_the_call_before(self, host, wrap):
    self.assertRaises(SSLError, connect, host)
    wrap.side_effect = [1, 2]
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host

def test_required_by_another_block(self, host):
    with pytest.raises(SSLError):
        connect(host)
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host

def test_passed_on(host):
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
        raise

def helper(host):
    try:
        connect(host)
    except SSLError as error:
        assert error.host == host
""",
    """
import sys
from shop import format_error, connect

def explode():
    raise ValueError("x")

def test_certain_to_raise():
    try:
        1 / 0
    except ZeroDivisionError as error:
        assert "division" in format_error(error)
    try:
        explode()
    except ValueError as error:
        assert "x" in format_error(error)
    try:
        raise ValueError("x")
    except ValueError as error:
        assert "x" in format_error(error)

def test_must_not_be_that(self, host):
    try:
        connect(host)
    except Exception as error:
        assert not isinstance(error, TypeError), "internal error"
        assert "internal" not in str(error)
        self.assertNotIn("internal", str(error))

def test_several_outcomes(self, text):
    try:
        parse(text)
    except UnicodeError:
        pass
    except OverflowError as error:
        assert error.position >= 0
    try:
        parse(text)
    except OverflowError:
        self.fail("too long")
    except SSLError as error:
        assert error.position >= 0

def test_just_a_marker(text):
    try:
        parse(text)
    except SSLError:
        assert True

def test_what_systems_allow(self, path):
    try:
        connect(path)
    except OSError as error:
        self.assertIn(error.errno, (errno.EPERM, errno.EACCES))

def test_endless(host):
    count = 0
    try:
        while True:
            connect(host)
            count += 1
    except SSLError:
        assert count == 10

def test_comment_allows(self, host, leave):
    # *If* this raises, it says why
    message = "closed"
    try:
        connect(host)
    except SSLError as error:
        assert message in str(error)
    try:
        connect(host)
    except Exception as error:
        # ignore the exception (it is raised to simulate the exit)
        self.assertEqual("exit", str(error))
    self.assertEqual(2, leave.call_args.args[0])

def test_depends_on_the_platform():
    try:
        connect("x")
    except NotImplementedError:
        assert sys.platform == "win32"

def test_said_to_be_allowed():
    # the server may close the connection first
    try:
        connect("x")
    except OSError as error:
        assert error.errno == 104
""",
    """
class TestCase(Base):
    def check_rejected(self, text):
        self.assertRaises(ValueError, parse, text)

    def test_helper_checks(self):
        try:
            self.check_rejected("x")
        except OSError as error:
            assert error.errno == 3

    def test_inherited_helper_checks(self):
        try:
            self.verify_rejected("x")
        except OSError as error:
            assert error.errno == 3
""",
)

_HELPER = re.compile(r"^_*(assert|check|ensure|expect|must|should|validate|verify)|assert", re.IGNORECASE)
_LEAVES = frozenset(("fail", "skip", "skipTest", "xfail", "exit", "_exit", "abort", "importorskip"))
_PLATFORM = frozenset(("sys", "os", "platform", "six", "support"))
_ALLOWED = re.compile(
    r"\bignor(e|ing) (the|this|any|all) (exception|error)|"
    r"\b(may|might|either|sometimes|optional|occasional|depend|allowed|acceptable|not always|possibl|"
    r"race|flaky|platform|(some|older|newer|other|different) (\w+ )?(version|system|kernel|build)s?)",
    re.IGNORECASE,
)
_IF_IT_RAISES = re.compile(r"\bif\b\*? (this|it|that) (raises|fails|does)", re.IGNORECASE)


def rule(module: TestModule) -> Iterator[Hit]:
    for statement, scope in tries(module):
        if module.role(scope) is Role.TEST:
            handler = _asserting_handler(module, scope, statement)
            if handler is not None and _is_only_allowed(module, scope, statement, handler):
                yield _hit(module, statement, handler, scope)


def _hit(module: TestModule, statement: ast.Try, handler: ast.ExceptHandler, scope: Scope) -> Hit:
    first, last = handler.body[0].lineno, handler.body[-1].end_lineno
    lines = f"line {first} never runs" if first == last else f"lines {first}-{last} never run"
    never = f"line {first} never ran" if first == last else f"lines {first}-{last} never ran"
    error = source_of(handler.type) if handler.type is not None else "TheError"
    uses_self = any(dotted_name(call.func).startswith("self.assert") for call in calls_in(handler.body))
    raises = "self.assertRaises" if uses_self else "pytest.raises"
    about = last_call(statement.body)
    what = call_name(about[1]) if about is not None else "the block"
    return Hit(
        statement,
        f"if {what} raises nothing, {lines}",
        fix=f"with {raises}({error}): {source_of(about[0] if about is not None else statement.body[-1])}",
        decided_by=Proof(
            "never-ran",
            lines_of(module, handler.body),
            at=start_of(statement),
            said=f"{scope.name} passed, nothing was raised, {never}",
        ),
    )


# --- the handler


def _asserting_handler(module: TestModule, scope: Scope, statement: ast.Try) -> ast.ExceptHandler | None:
    """The first handler that asserts something about the exception, and lets the test go on."""
    if statement.orelse or not _is_one_way_out(module, scope, statement):
        return None
    for handler in statement.handlers:
        if any(_is_real(module, scope, assertion, handler) for assertion in assertions_in(handler.body)):
            return None if _ends_the_test(handler) else handler
    return None


def _is_one_way_out(module: TestModule, scope: Scope, statement: ast.Try) -> bool:
    """One handler goes on; another may only say that everything else is wrong. Several make several allowed outcomes."""
    ending = [handler for handler in statement.handlers if _ends_the_test(handler)]
    broad = [
        handler
        for handler in ending
        if handler.type is None or is_builtin_error(module, scope, handler.type, "Exception", "BaseException")
    ]
    return len(statement.handlers) - len(ending) == 1 and len(broad) == len(ending)


def _ends_the_test(handler: ast.ExceptHandler) -> bool:
    """Re-raises, fails or skips: the exception is not just looked at."""
    return any(
        isinstance(node, ast.Raise) or (isinstance(node, ast.stmt) and skips(node)) for node in nodes_of(handler.body)
    ) or any(is_failure(statement) or _leaves(statement) for statement in handler.body)


def _leaves(statement: ast.stmt) -> bool:
    call = called(statement)
    return call is not None and terminal_name(call.func) in _LEAVES


def _is_real(module: TestModule, scope: Scope, assertion: ast.stmt, handler: ast.ExceptHandler) -> bool:
    """More than "must not get here", and about the exception rather than about where or with what the test runs."""
    if is_failure(assertion) or _leaves(assertion) or _denies(assertion, handler.name) or _is_void(assertion):
        return False
    parameters = _parametrized(module, scope)
    conditions = [node.test for node in scope.ancestors(assertion) if isinstance(node, ast.If)]
    if any(isinstance(node, ast.Name) and node.id in parameters for node in nodes_of(conditions)):
        return False
    names = {node.id for node in nodes_of([assertion]) if isinstance(node, ast.Name)}
    if not names.isdisjoint(_PLATFORM) and handler.name not in names:
        return False
    return handler.name in names or names.isdisjoint(parameters)


def _is_void(assertion: ast.stmt) -> bool:
    """``assert True``, or one of several `errno` values that a system may give."""
    if isinstance(assertion, ast.Assert) and isinstance(assertion.test, ast.Constant):
        return True
    names = {node.id for node in nodes_of([assertion]) if isinstance(node, ast.Name)}
    return "errno" in names and any(isinstance(node, (ast.Tuple, ast.List, ast.Set)) for node in nodes_of([assertion]))


def _denies(assertion: ast.stmt, error: str | None) -> bool:
    """``assert not e``, ``assertIsNone(e)``, ``assertNotIn("internal", str(e))``: what the exception must not be."""
    if error is None or error not in {node.id for node in nodes_of([assertion]) if isinstance(node, ast.Name)}:
        return False
    if isinstance(assertion, ast.Assert):
        text = source_of(assertion.test)
        return text.startswith("not ") or " not in " in text or text in (f"{error} is None", f"{error} == None")
    call = called(assertion)
    if call is not None and terminal_name(call.func).startswith(("assertNot", "assert_not")):
        return True
    arguments = [source_of(argument) for argument in call.args] if call is not None else []
    if call is None or error not in arguments:
        return False
    return terminal_name(call.func) in ("assertIsNone", "assertFalse", "assert_is_none") or "None" in arguments


def _parametrized(module: TestModule, scope: Scope) -> set[str]:
    if any(name.endswith(("parametrize", "data", "expand")) for name, _ in module.decorators(scope)):
        return set(parameter_names(scope.node))
    return set()


# --- whether the exception is required by something else


def _is_only_allowed(module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler) -> bool:
    return not (
        _body_decides(module, scope, statement.body)
        or any(isinstance(node, LOOPS) for node in scope.ancestors(statement))
        or any(name.rpartition(".")[2] == "given" for name, _ in module.decorators(scope))
        or _must_raise(module, scope, statement.body)
        or _is_required_beside(module, scope, statement)
        or _decided_afterwards(scope, statement)
        or _leaves_a_trace(scope, statement)
        or _said_to_be_allowed(module, scope, statement, handler)
    )


def _body_decides(module: TestModule, scope: Scope, body: list[ast.stmt]) -> bool:
    """Whether the body asserts, fails, raises or leaves on its own."""
    if any(isinstance(n, (ast.Assert, ast.Raise, ast.Return, ast.Break, ast.Continue)) for n in nodes_of(body)):
        return True
    return any(_call_decides(module, scope, call) for call in calls_in(body))


def _call_decides(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    name = terminal_name(call.func)
    if name in _LEAVES or "assert" in name.lower() or is_raises(module, scope, call):
        return True
    of_the_tests = isinstance(call.func, ast.Attribute) and dotted_name(call.func.value) in ("self", "cls")
    if _HELPER.search(name) and (of_the_tests or "test" in module.resolve(call.func, scope).rpartition(".")[0]):
        return True
    helper = module.definition(call.func, scope)
    return helper is not None and helper.is_function and may_assert(module, helper, helper.body)


def _must_raise(module: TestModule, scope: Scope, body: list[ast.stmt], depth: int = 3) -> bool:
    """The body cannot but raise: the exception is made by the test itself."""
    if not depth:
        return False
    if any(_divides_by_zero(node) or _never_ends(node) for node in nodes_of(body)):
        return True
    helpers = (module.definition(call.func, scope) for call in calls_in(body))
    return any(
        helper is not None
        and helper.is_function
        and helper.body
        and (isinstance(helper.body[-1], ast.Raise) or _must_raise(module, helper, helper.body[-1:], depth - 1))
        for helper in helpers
        if helper is not scope
    )


def _divides_by_zero(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, (ast.Div, ast.FloorDiv, ast.Mod))
        and isinstance(node.right, ast.Constant)
        and node.right.value == 0
    )


def _never_ends(node: ast.AST) -> bool:
    """``while True`` without a ``break`` (with one, or a ``return``, the body decides already)."""
    return isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)


def _is_required_beside(module: TestModule, scope: Scope, statement: ast.Try) -> bool:
    """The statement before or after requires the error of the same call: this one only looks at it."""
    about = last_call(statement.body)
    if about is None:
        return False
    call = about[1]
    wanted = {ast.dump(call), _dumped([call.func, *call.args, *call.keywords])}
    for beside in _neighbours(scope, statement):
        for expected in calls_in([beside]):
            inside = calls_in(beside.body) if isinstance(beside, WITHS) else ()
            required = {_dumped([*expected.args[1:], *expected.keywords]), *(ast.dump(inner) for inner in inside)}
            if is_raises(module, scope, expected) and not wanted.isdisjoint(required):
                return True
    return False


def _neighbours(scope: Scope, statement: ast.stmt) -> Iterator[ast.stmt]:
    """The statements before and after, with nothing but attributes (of mocks) being set in between."""
    for _, suite in ast.iter_fields(scope.parent(statement) or scope.node):
        if isinstance(suite, list) and statement in suite:
            at = suite.index(statement)
            for way in (suite[:at][::-1], suite[at + 1 :]):
                yield from itertools.islice(itertools.dropwhile(_sets_attribute, way), 1)


def _sets_attribute(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and all(isinstance(target, ast.Attribute) for target in statement.targets)


def _dumped(nodes: list[ast.expr | ast.keyword]) -> str:
    return " ".join(ast.dump(node) for node in nodes)


def _decided_afterwards(scope: Scope, statement: ast.Try) -> bool:
    """Something behind the ``try`` fails when it is reached, or asserts on what the body has got."""
    later = list(statements_after(scope, statement))
    if any(isinstance(node, ast.Raise) or is_failure(node) for node in later):
        return True
    got = stored_names(statement.body)
    return any(
        isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load) and dotted_name(node) in got
        for node in nodes_of([*later, *statement.finalbody])
    )


def _leaves_a_trace(scope: Scope, statement: ast.Try) -> bool:
    """The handlers set or fill something that is read elsewhere."""
    handlers: list[ast.AST] = [handler for node in scope.of(*TRIES) for handler in node.handlers]  # type: ignore[attr-defined]
    within = set(nodes_of(handlers))
    body = [node for handler in statement.handlers for node in handler.body]
    return passes_on(scope, body, within) or is_read(scope, _filled(body), within)


def _filled(statements: list[ast.stmt]) -> set[str]:
    """``errors`` of ``errors.append(e)``: what a method is called on for its effect."""
    found: set[str] = set()
    asserted = set(nodes_of(assertions_in(statements)))
    for node in nodes_of(statements):
        call = called(node)
        if call is not None and node not in asserted and isinstance(call.func, ast.Attribute):
            found.add(dotted_name(call.func.value))
    return found - {"", "self", "cls"}


def _said_to_be_allowed(module: TestModule, scope: Scope, statement: ast.Try, handler: ast.ExceptHandler) -> bool:
    first, last = statement.lineno, handler.body[-1].end_lineno or handler.lineno
    comments = module.comments(scope)
    near = " ".join(comments.get(line, "") for line in range(first - 2, last + 1))
    above = " ".join(comments.get(line, "") for line in range(first - 6, first))
    return bool(_ALLOWED.search(near) or _IF_IT_RAISES.search(above))


CHECK = Check("PSA202", "assertion-only-in-except", DEFECT, __doc__, BAD, GOOD, rule)
