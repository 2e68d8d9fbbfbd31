"""An assertion at the end of a `raises` block never runs.

The block is left the moment the expected exception is raised. Assertions that stand behind the
raising call inside the block are skipped without a word: what they check (the status code of the
error, the state after it) may be anything, and the test stays green.

Instead: dedent the assertions, so that they stand after the `with` block.

Where the assertion itself calls into the product, it may be what raises: that is only *advisory*.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit, Proof, Severity
from pytest_secaudit.source import Scope, TestModule, dotted_name, own_nodes, parameter_names, source_of, terminal_name
from pytest_secaudit.source.oracles import (
    ASSERTION_ERRORS,
    call_name,
    called,
    calls_in,
    expected_types,
    is_assertion,
    is_failure,
    is_standard_assertion,
    last_call,
    lines_of,
    nodes_of,
    raises_block,
    start_of,
    stored_names,
)
from pytest_secaudit.source.syntax import WITHS

BAD = (
    """
import pytest
from shop import Rejected, login

def test_error_is_never_looked_at(user):
    with pytest.raises(Rejected) as error:
        login(user, "wrong")
        assert "password" in str(error.value)  # PSA201
        assert error.value.code == 401

def test_state_is_never_looked_at(user, mailer):
    with pytest.raises(Rejected):
        login(user, "wrong")
        assert user.failures == 1  # PSA201
        mailer.send.assert_called_once_with(user)

async def test_async(user, client):
    with pytest.raises((Rejected, OSError), match="no"):
        await client.login(user)
        assert not user.active  # PSA201
""",
    """
import unittest
from unittest import mock

class TestServers(unittest.TestCase):
    def test_create(self):
        with self.assertRaisesRegex(client.ApiError, "Unexpected status") as cm:
            server = self.create("x")
            self.assertEqual(400, cm.exception.response.status_code)  # PSA201

    @mock.patch("shop.driver.attach")
    def test_attach(self, attach):
        with self.assertRaises(Exception):
            self.driver.create()
            attach.assert_called_once_with(mock.ANY)  # PSA201

    def test_marker_behind(self):
        with self.assertRaises(Refused):
            self.driver.create()
            self.assertFalse(self.driver_created)  # PSA201
            self.fail("not refused")
""",
    """
import pytest
from shop import Rejected, login, count_users

def test_suspected(user):
    with pytest.raises(Rejected):
        login(user, "wrong")
        assert count_users() == 0  # PSA201 advisory
""",
)
GOOD = (
    """
import pytest
from shop import Rejected, login

def test_after_the_block(user):
    with pytest.raises(Rejected) as error:
        login(user, "wrong")
    assert "password" in str(error.value)

def test_in_the_middle(user):
    with pytest.raises(Rejected):
        first = login(user, "right")
        assert first.ok
        login(user, "wrong")

def test_reached_marker(user):
    with pytest.raises(Rejected):
        login(user, "wrong")
        pytest.fail("accepted")
    with pytest.raises(Rejected):
        login(user, "wrong")
        assert False, "accepted"
""",
    """
import pytest
from shop import check_equal

def test_assertion_is_expected(self, expected_error):
    with pytest.raises(AssertionError):
        value = check_equal(1, 2)
        assert value == 3
    with pytest.raises(pytest.fail.Exception):
        value = check_equal(1, 2)
        assert value == 3
    with pytest.raises(Exception):
        value = check_equal(1, 2)
        assert value == 3
    with self.assertRaises(self.failureException):
        self.run_it()
        self.assertTrue(self.done)
    with pytest.raises(expected_error):
        value = check_equal(1, 2)
        assert value == 3
""",
    """
import pytest

class MyFailure(AssertionError):
    pass

ERRORS = (ValueError, AssertionError)

def test_subclass_of_assertion_error(run):
    with pytest.raises(MyFailure):
        run()
        assert run.ok
    with pytest.raises(ERRORS):
        run()
        assert run.ok
""",
    """
import pytest
from shop.models import Order, FieldError

class TestLazy(TestCase):
    def test_assertion_evaluates_the_query(self):
        with self.assertRaises(FieldError):
            orders = Order.objects.filter(nothing=1)
            self.assertEqual(list(orders), [])
        with self.assertRaisesMessage(FieldError, "no"):
            orders = Order.objects.filter(nothing=1)
            self.assertSequenceEqual(orders, [])

def test_assertion_loads_the_key():
    with pytest.raises(ValueError):
        credentials = Credentials("x")
        assert credentials.resolve_private_key() is not None

def test_only_the_assertion(parse):
    with pytest.raises(ValueError):
        assert parse("x") == 1
""",
    """
import pytest

def test_operation_raises(make):
    with pytest.raises(AttributeError):
        thing = make()
        assert thing.missing
    with pytest.raises(KeyError):
        make().forget("x")
        assert make.known["x"]
    with pytest.raises(TypeError):
        thing = make()
        assert thing < 3
    with pytest.raises(TypeError):
        thing = make()
        assert thing == 3
    with pytest.raises(ValueError):
        array = make()
        assert array
""",
    """
import pytest, trio

async def test_raised_at_exit(user):
    with pytest.raises(ExceptionGroup):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(user.fail)
            assert nursery.child_tasks
    with pytest.raises(ValueError), user.transaction() as transaction:
        user.save()
        assert transaction.active

def test_own_helper(user):
    with pytest.raises(user.Rejected):
        page = user.login()
        assert_page_is_shown(page)
""",
)

#: Calls that only read: they are part of the assertion and do not raise what the product would.
_ACCESSORS = frozenset(
    """
    str repr len isinstance issubclass type bool int hasattr callable id bytes encode decode format join
    keys values items lower upper strip split startswith endswith call ANY
    """.split()
)
_MOCK_READS = frozenset(
    "called call_count call_args call_args_list mock_calls method_calls await_count await_args await_args_list".split()
)
_MOCK_ASSERTIONS = ("assert_called", "assert_not_called", "assert_any_call", "assert_has_calls", "assert_awaited")
#: What an operation on its own can raise; with such an expected type the assertion may be what raises it.
_RAISED_BY_READING = {
    ast.Attribute: frozenset(("AttributeError",)),
    ast.Subscript: frozenset(("KeyError", "IndexError", "LookupError", "TypeError")),
    ast.BinOp: frozenset(("TypeError", "ZeroDivisionError", "OverflowError", "ValueError")),
    ast.Compare: frozenset(("TypeError",)),
}
_RAISED_BY_OPERATORS = frozenset(("TypeError", "ValueError", "NotImplementedError", "RuntimeError"))


@lean
@dataclass(frozen=True, slots=True)
class _Block:
    """What is known of a raises block: the expected types, its variable, and the names bound inside it."""

    types: frozenset[str]
    variable: str | None
    bound: frozenset[str]

    @property
    def takes_anything(self) -> bool:
        return not self.types.isdisjoint(("Exception", "BaseException"))


def rule(module: TestModule) -> Iterator[Hit]:
    for statement, scope in module.each(*WITHS):
        if isinstance(statement, WITHS) and len(statement.body) > 1 and is_assertion(statement.body[-1]):
            yield from _dead_assertions(module, scope, statement)


def _dead_assertions(module: TestModule, scope: Scope, statement: ast.With | ast.AsyncWith) -> Iterator[Hit]:
    found = raises_block(module, scope, statement)
    if found is None or not _is_innermost(statement, found[0]):
        return
    call, variable = found
    types = _expected(module, scope, call)
    if types is None:
        return
    body = _without_markers(statement.body)
    block = _Block(types, variable, frozenset(stored_names(body)))
    start = len(body)
    while start and _verdict(body[start - 1], block) is DEFECT:
        start -= 1
    severity = DEFECT
    if start == len(body):
        severity = ADVISORY
        while start and _verdict(body[start - 1], block) is ADVISORY:
            start -= 1
    if start < len(body) and next(calls_in(body[:start]), None) is not None:
        raising = _raising(body[:start])
        fix = _fix(scope, statement, body[:start], body[start:], raising)
        yield _hit(module, statement, body[start:], raising, call, severity, fix)


def _raising(before: list[ast.stmt]) -> str:
    """The call that must be what raises, where there is no doubt which one it is."""
    calling = _calling(before)
    about = last_call(calling) if len(calling) == 1 else None
    return call_name(about[1]) if about is not None else "the block"


def _calling(statements: list[ast.stmt]) -> list[ast.stmt]:
    return [statement for statement in statements if next(calls_in([statement]), None) is not None]


def _fix(
    scope: Scope, statement: ast.With | ast.AsyncWith, before: list[ast.stmt], dead: list[ast.stmt], raising: str
) -> str:
    """Behind the block, unless that asks for what the raising call would have bound: such a name has no value then."""
    calling = _calling(before)
    certain = [statement for statement in calling if not hasattr(statement, "body")]  # what an `if` holds may not run
    bound_late = stored_names((certain or calling)[-1:])
    earlier = [n for n in own_nodes(scope.node) if isinstance(n, ast.Name) and n.lineno < statement.lineno]
    bound_before = {*stored_names(earlier), *(parameter_names(scope.node) if scope.is_function else ())}
    asked = [node.id for node in nodes_of(dead[:1]) if isinstance(node, ast.Name)]
    unbound = next((name for name in asked if name in bound_late and name not in bound_before), None)
    if unbound is None:
        return f"after the with block, dedented: {source_of(dead[0])}"
    return (
        f"delete it, or check the error itself after the with block: {unbound} "
        f"{'has' if len(calling) == 1 else 'may have'} no value there, as {raising} raises before it is bound"
    )


def _hit(
    module: TestModule,
    statement: ast.With | ast.AsyncWith,
    dead: list[ast.stmt],
    raising: str,
    expected: ast.Call,
    severity: Severity,
    fix: str,
) -> Hit:
    what = "this assertion never runs" if len(dead) == 1 else f"these {len(dead)} assertions never run"
    first = expected.args[0] if expected.args else None
    error = source_of(first, 40) if first is not None else "the expected exception"
    return Hit(
        dead[0],
        f"{'once' if severity is DEFECT else 'if'} {raising} raises {error}, {what}",
        fix=fix,
        severity=severity,
        decided_by=Proof(
            "never-ran",
            lines_of(module, dead),
            at=start_of(statement),
            said=f"once {raising} raises {error}, {what}",
            level=DEFECT,
        ),
    )


def _is_innermost(statement: ast.With | ast.AsyncWith, call: ast.Call) -> bool:
    """No other context of the same ``with`` can raise on the way out, after the assertions have run."""
    return statement.items[-1].context_expr is call


def _without_markers(body: list[ast.stmt]) -> list[ast.stmt]:
    """The block without a closing ``fail("must not get here")``, which is right there."""
    end = len(body)
    while end and is_failure(body[end - 1]):
        end -= 1
    return body[:end]


# --- the expected types


def _expected(module: TestModule, scope: Scope, call: ast.Call) -> frozenset[str] | None:
    """The names of the expected types; None when a failing assertion could be what is expected."""
    for node in _type_expressions(call):
        if not isinstance(node, (ast.Name, ast.Attribute)) or _takes_assertions(module, scope, node):
            return None
    return frozenset(expected_types(call)) or None


def _type_expressions(call: ast.Call) -> Iterator[ast.expr]:
    grouped = terminal_name(call.func) == "RaisesGroup"
    given = [keyword.value for keyword in call.keywords if (keyword.arg or "").startswith("expected_exception")]
    for expression in (*(call.args if grouped else call.args[:1]), *given):
        yield from expression.elts if isinstance(expression, ast.Tuple) else [expression]


def _takes_assertions(module: TestModule, scope: Scope, node: ast.Name | ast.Attribute, depth: int = 3) -> bool:
    name = terminal_name(node)
    if name in ("Exception", "BaseException") and isinstance(node, ast.Name):
        return False  # looked at more closely in _verdict
    if name in ASSERTION_ERRORS or name.endswith(("AssertionError", "Failure", "Failed", "Mismatch", "MismatchError")):
        return True
    if isinstance(node, ast.Attribute):
        return dotted_name(node.value) in ("self", "cls")  # set somewhere else, to any type
    value = module.value(name, scope)
    if value is not None:
        parts = value.elts if isinstance(value, ast.Tuple) else [value]
        known = [part for part in parts if isinstance(part, (ast.Name, ast.Attribute))]
        return len(known) < len(parts) or any(
            _takes_assertions(module, scope, part, depth - 1) for part in known if depth
        )
    definition = module.definition(node, scope)
    if definition is not None and definition.is_class:
        bases = [base for base in definition.node.bases if isinstance(base, (ast.Name, ast.Attribute))]  # type: ignore[attr-defined]
        return any(_takes_assertions(module, definition.enclosing or scope, base, depth - 1) for base in bases if depth)
    # A parameter, a loop variable, something assigned twice: it may be any type.
    return not module.resolve(node, scope) and module.binder(name, scope) is not None


# --- what an assertion evaluates


def _verdict(statement: ast.stmt, block: _Block) -> Severity | None:
    """DEFECT: the assertion cannot be what raises. ADVISORY: hardly. None: it may well be."""
    if not is_assertion(statement):
        return None
    asserted = _asserted(statement)
    if asserted is None:
        return None
    nodes = list(nodes_of(asserted))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    if block.variable in names or _is_mock_assertion(statement):
        return DEFECT
    if block.takes_anything:
        return None
    own = not block.bound.isdisjoint(names)
    if any(_is_product_call(node) for node in nodes):
        return None if own else ADVISORY
    if any(_may_raise(node, block.types) for node in nodes):
        return None
    if own:
        return _verdict_on_results(statement, nodes, block)
    return DEFECT


def _verdict_on_results(statement: ast.stmt, nodes: list[ast.AST], block: _Block) -> Severity | None:
    """What the block itself has made may be lazy: its attributes and operators may raise."""
    call = called(statement)
    if not block.types.isdisjoint(_RAISED_BY_OPERATORS):
        return None
    if call is not None and terminal_name(call.func).lower().endswith(
        ("sequenceequal", "countequal", "itemsequal", "listequal")
    ):
        return None
    lazy = any(isinstance(node, (ast.Attribute, ast.Call, ast.comprehension, ast.Starred)) for node in nodes)
    return ADVISORY if lazy else DEFECT


def _asserted(statement: ast.stmt) -> list[ast.expr] | None:
    """The expressions that a known assertion evaluates; None for a helper that may do anything."""
    if isinstance(statement, ast.Assert):
        return [statement.test]
    call = called(statement)
    if call is None:
        return None
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    if _is_mock_assertion(statement):
        return arguments
    return arguments if is_standard_assertion(statement) else None


def _is_mock_assertion(statement: ast.stmt) -> bool:
    call = called(statement)
    return (
        call is not None
        and isinstance(call.func, ast.Attribute)
        and call.func.attr.startswith(_MOCK_ASSERTIONS)
        and bool(dotted_name(call.func))
        and not any(_is_product_call(node) for node in calls_in([*call.args, *(k.value for k in call.keywords)]))
    )


def _is_product_call(node: ast.AST) -> bool:
    if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
        return True
    return isinstance(node, ast.Call) and terminal_name(node.func) not in _ACCESSORS


def _may_raise(node: ast.AST, types: frozenset[str]) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in _MOCK_READS:
        return False
    if isinstance(node, ast.Compare) and not any(isinstance(op, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) for op in node.ops):
        return False
    return not _RAISED_BY_READING.get(type(node), frozenset()).isdisjoint(types)


CHECK = Check("PSA201", "dead-assertion-in-raises", DEFECT, __doc__, BAD, GOOD, rule, cwe=561)
