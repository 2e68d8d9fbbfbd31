"""A comparison stands as a statement of its own, and its result is thrown away.

The line reads like a check and is none: whatever the two sides are, the test goes on. Mostly the
word `assert` is missing, sometimes `==` was typed where `=` was meant.

Instead: write `assert` in front of it, or `=` if a value was to be stored. Where evaluating the comparison
is itself the point (it must not raise), say so in a comment or in the name of the test.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from pytest_secaudit.lexicon import words
from pytest_secaudit.model import DEFECT, Check, Hit, Proof, Question
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name
from pytest_secaudit.source.oracles import lines_of
from pytest_secaudit.source.syntax import TRIES, WITHS

BAD = (
    """
def test_allow_all(authenticator):
    authenticator.allowed_users == set()  # PSA006
    assert authenticator.allow_all

def test_tls(client):
    with client.session() as session:
        session.verify is False  # PSA006
        "token" not in session.headers  # PSA006
""",
    """
import unittest

class TestHmac(unittest.TestCase):
    def test_verify(self):
        for key in self.keys:
            self.assertTrue(self.lib.verify(key))
            self.lib.verify.call_count == 1  # PSA006
        len(self.keys) > 3  # PSA006

    async def test_status(self):
        (await self.client.get("/")).status == 403  # PSA006
""",
    """
def test_closure(mocker, service):
    tracking = {}

    def save():
        assert service.ready
        tracking["state"] == service.state  # PSA006

    mocker.patch("shop.save", side_effect=save)
    service.run()

def test_one_statement(mocker, service):
    def save(state):
        if state:
            service.last_state == state  # PSA006

    mocker.patch("shop.save", side_effect=save)
    service.run()
""",
    """
class Matcher:
    def __eq__(self, other):
        return True

def test_comment_of_another_line(client, endpoint):
    # the second call must not fail
    client.describe()
    client.call_args_list == [1]  # PSA006
""",
    """
import numpy as np
from sqlalchemy import select

def test_plain_values_of_overloading_libraries(session):
    matrix = np.zeros((2, 3))
    matrix.shape == (3, 2)  # PSA006
    rows = session.execute(select(1)).all()
    len(rows) == 1  # PSA006
""",
)
GOOD = (
    """
import pytest
import warnings
from contextlib import suppress

def test_expected(a, b):
    with pytest.raises(TypeError):
        a == b
    with pytest.warns(UserWarning):
        a == b
    with suppress(Exception):
        a == b
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        a < b
    try:
        a == b
    except TypeError:
        pass
    else:
        assert False

def helper(a, b):
    a == b
""",
    """
import sqlalchemy as sa
from sqlalchemy import Column, select
from myapp.models import User

users = sa.table("users")

def test_expression(session, items):
    sa.column("x") == 1
    Column("x") == Column("y")
    users.c.id == 5
    User.name == "admin"
    3 == items.c.price
    query = select(users)
    query.c.id == 3

class TestTable:
    def test_attribute(self):
        self.table.c.x == 5
""",
    """
import numpy as np
import pandas as pd

def test_elementwise():
    np.zeros(3) == "a"
    frame = pd.DataFrame({"a": [1]})
    frame["a"] == 1

def test_elementwise_inner():
    import polars as pl
    pl.col("a") == 3
""",
    """
from expects import expect
from sure import it

def test_speaks_for_itself(answer):
    expect(answer) == 42
    expect(answer).to_not == 3
    answer.should == 42
    answer | should == 42
""",
    """
class Version:
    def __eq__(self, other):
        raise TypeError

def test_version():
    Version() == 3
    "a" in [Version()]
""",
    """
from unittest.mock import MagicMock

def test_calls_the_method():
    m = MagicMock()
    m == 3
    m.__eq__.assert_called_once_with(3)
""",
    """
def test_eq_does_not_recurse(node):
    node == node

class TestComparison:
    def test_strange_types(self):
        self.a == object()

def test_strange_types(a):
    # comparing with strangers must not raise
    a == object()
    a != object()
    a == 3  # noqa: B015
    a in [3]  # should not crash

class TestIndex:
    def test_cache_is_not_filled(self, index):
        90 in index
        assert index.cache == {}

    def test_strange_subclass(self, index):
        index.a == index.b  # not clear if this is True or False,
                            # but it used to be a SystemError

    def test_iterator_moves_on(self, items):
        iterator = iter(items)
        3 in iterator
        assert next(iterator) == 4

    def test_side_effect(self, index):
        90 in index  # True
        assert index.cache == {}
""",
    """
import pytest
import timeit

def test_closures(a, b, check_error):
    def compare():
        a.x == b.x
        return a

    def compare_again():
        a.y == b.y
        return a

    @a.register
    def third():
        a.z == b.z
        return a

    def alone():
        a.x == b.x

    pytest.raises(TypeError, compare)
    with pytest.raises(TypeError):
        compare_again()
    print(alone)

def test_nested_class(a, b):
    class Model:
        a.x == b.x

        def method(self):
            a.x == b.x
""",
    """
def test_uses(a, b):
    same = a == b
    assert a == b, a != b
    return a == b

def test_lambda(a):
    f = lambda x: x == a
    print(f(1) == 1)
    [x == a for x in range(3)]
""",
)

#: Libraries whose objects build an expression from a comparison.
_BUILDERS = frozenset(
    """
    algopy amaranth aiogram beanie brian2 construct cvxpy databricks django dolfin duckdb firedrake gekko gino
    google ibis magic_filter migen mongoengine myhdl nmigen odmantic ormar ortools parsy peewee piccolo playhouse
    polars pony pulp pydal pynamodb pyomo pyparsing pypika pysmt pyspark pyteal siuba snowflake sqlalchemy
    sqlmodel sympy tinydb tortoise ufl z3
    """.split()
)
#: Libraries that compare element by element.
_ARRAYS = frozenset(
    """
    astropy awkward cudf cupy dask h5py jax modin numpy pandas pint pyarrow quantities scipy sparse tables
    tensorflow torch unyt vaex xarray
    """.split()
)
_OVERLOADING = _BUILDERS | _ARRAYS
#: What is a plain number or tuple even there.
_PLAIN_ATTRIBUTES = frozenset(("itemsize", "nbytes", "ndim", "shape", "size", "status_code"))
#: Words of libraries in which the comparison is the assertion.
_ASSERTING = frozenset(
    """
    assert_that assertThat ensure expect expect_that expects must should should_not soft_assert that the
    verify_that
    """.split()
)
_EXPECTING = re.compile(
    r"assert|bench|block|captur|catch|check|count|deprecat|error|except|expect|fail|forbid|ignor|prevent|profil|quer"
    r"|rais|record|suppress|swallow|throw|timeit|timer|trace|warn|without",
    re.IGNORECASE,
)
_SUBJECT_WORDS = frozenset(
    """
    cmp comparable compare compared compares comparing comparison comparisons contains
    containment crash dunder eq equal equality equals ge gt inequality le lt magic membership ne neq operator operators
    ordering recursion
    richcmp richcompare segfault unequal
    """.split()
)
_SUBJECT_COMMENT = re.compile(
    r"\bcompar|__\w+__|\bequal|\beq\b|rais|warn|crash|\bfail|blow|throw|trigger|side.effect|evaluat|without|used to"
    r"|^(true|false)$|\btrue or false\b"
    r"|\b(should|must|does|do)(n't| not)|\bno (error|exception)|noqa(?!:)|B015|W0104|pointless|not-assigned",
    re.IGNORECASE,
)
#: Words of tests in which looking something up (``x in index``) may be the act.
_LOOKUP_WORDS = frozenset(("cache", "cached", "caches", "caching", "lazy", "lookup", "lru"))
_ITERATORS = frozenset(("enumerate", "filter", "iter", "map", "reversed", "zip"))
_OPERATORS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_METHODS = ("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__")


def rule(module: TestModule) -> Iterator[Hit]:
    for statement, scope in module.each(ast.Expr):
        comparison = statement.value
        if isinstance(comparison, ast.Compare) and _is_forgotten(module, scope, statement, comparison):
            yield _hit(module, scope, statement, comparison)


def _hit(module: TestModule, scope: Scope, statement: ast.Expr, comparison: ast.Compare) -> Hit:
    text = source_of(comparison)
    setting = _as_assignment(module, scope, comparison)
    return Hit(
        comparison,
        f"compares and throws the result away: {text}",
        fix=f"{setting} if it was to be set, else assert {text}" if setting else f"assert {text}",
        unless=tuple(_questions(module, scope, comparison)),
        decided_by=Proof("ran", lines_of(module, [statement])),
    )


def _as_assignment(module: TestModule, scope: Scope, comparison: ast.Compare) -> str:
    """The assignment that may have been meant: to a mock, whose attributes equal nothing, or to what is read later."""
    left = comparison.left
    if not isinstance(left, (ast.Attribute, ast.Subscript)) or [type(op) for op in comparison.ops] != [ast.Eq]:
        return ""
    if not _is_of_a_mock(module, scope, left) and not _is_read_later(scope, comparison, left):
        return ""
    return f"{source_of(left)} = {source_of(comparison.comparators[0])}"


def _is_of_a_mock(module: TestModule, scope: Scope, target: ast.expr) -> bool:
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    value = module.value(target.id, scope) if isinstance(target, ast.Name) else None
    made = terminal_name(value.func) if isinstance(value, ast.Call) else ""
    return made.endswith("Mock") or made == "create_autospec"


def _is_read_later(scope: Scope, comparison: ast.Compare, target: ast.Attribute | ast.Subscript) -> bool:
    """Whether the same place is read below, or anywhere in a function that is called again."""
    text = ast.unparse(target)
    return any(
        isinstance(node, type(target))
        and node is not target
        and isinstance(node.ctx, ast.Load)
        and (node.lineno > comparison.lineno or scope is not scope.outermost)
        and ast.unparse(node) == text
        for inner in scope.outermost.within()
        for node in own_nodes(inner.node)
    )


def _questions(module: TestModule, scope: Scope, comparison: ast.Compare) -> Iterator[Question]:
    for side in _sides(comparison):
        root, _, path = dotted_name(side).partition(".")
        if root and module.binder(root, scope) is module.root:
            yield Question("compares-oddly", (root, path))


def _is_forgotten(module: TestModule, scope: Scope, statement: ast.Expr, comparison: ast.Compare) -> bool:
    """Whether nothing says that evaluating the comparison is the point."""
    test = scope.outermost
    return (
        scope.is_function
        and (test.is_importable and module.role(test) is Role.TEST)
        and not _is_expected(scope, statement)
        and (scope is test or _runs_as_product_code(test, scope, comparison))
        and not _is_the_subject(module, scope, statement, comparison)
        and not _asserts_by_itself(comparison)
        and not _moves_an_iterator(module, scope, comparison)
        and not _is_overloaded(module, scope, comparison)
    )


def _is_expected(scope: Scope, node: ast.AST) -> bool:
    """Whether an exception or a warning is caught around the node."""
    return any(_catches(ancestor) for ancestor in scope.ancestors(node))


def _catches(node: ast.AST) -> bool:
    if isinstance(node, TRIES):
        return bool(node.handlers)  # type: ignore[attr-defined]
    if isinstance(node, WITHS):
        return any(_EXPECTING.search(_written(item.context_expr)) for item in node.items)
    return False


def _written(expression: ast.expr) -> str:
    function = expression.func if isinstance(expression, ast.Call) else expression
    return dotted_name(function) or terminal_name(function)


def _runs_as_product_code(test: Scope, closure: Scope, comparison: ast.Compare) -> bool:
    """Whether a function inside a test is more than the comparison, and nothing expects an error of it."""
    is_just_that = len(closure.body) == 1 and isinstance(closure.body[0], ast.Expr)
    if is_just_that or closure.node.decorator_list:  # type: ignore[attr-defined]
        return False
    if not any(isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)) for node in _sides(comparison)):
        return False  # the like of `a == b`: mostly code to be compiled, traced or timed
    return not any(_expects(user, call, closure.name) for user in test.within() for call in user.calls)


def _expects(scope: Scope, call: ast.Call, name: str) -> bool:
    if isinstance(call.func, ast.Name) and call.func.id == name:
        return _is_expected(scope, call)
    handed = [*call.args, *(keyword.value for keyword in call.keywords)]
    is_handed = any(isinstance(argument, ast.Name) and argument.id == name for argument in handed)
    return is_handed and bool(_EXPECTING.search(terminal_name(call.func)))


def _is_the_subject(module: TestModule, scope: Scope, statement: ast.Expr, comparison: ast.Compare) -> bool:
    """Whether a name, a comment or a special method says that the test is about comparing."""
    test = scope.outermost
    looks_up = any(isinstance(operator, (ast.In, ast.NotIn)) for operator in comparison.ops)
    telling = _SUBJECT_WORDS | _LOOKUP_WORDS if looks_up else _SUBJECT_WORDS
    if telling.intersection(words(f"{test.qualname}.{scope.name}")):
        return True
    if any(_SUBJECT_COMMENT.search(text) for text in _comments_near(module, scope, statement)):
        return True
    text = "\n".join(module.lines[test.node.lineno - 1 : test.node.end_lineno])  # type: ignore[attr-defined]
    return any(name in text for name in (*_METHODS, *module.once(_classes_that_compare)))


def _classes_that_compare(module: TestModule) -> list[str]:
    """The classes of this file with a comparison of their own: what happens in it may be the point."""
    return [scope.enclosing.name for scope in module.functions() if scope.name in _METHODS and scope.enclosing]


def _comments_near(module: TestModule, scope: Scope, statement: ast.Expr) -> Iterator[str]:
    """The comments at the statement, right above it, and above a run of such statements that it ends."""
    comments = module.comments(scope.outermost)
    alike = {node.lineno for node in scope.of(ast.Expr) if isinstance(node.value, ast.Compare)}
    first = statement.lineno
    while first - 1 in alike or module.lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return (comments[line] for line in range(first, (statement.end_lineno or first) + 1) if line in comments)


def _asserts_by_itself(comparison: ast.Compare) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id in _ASSERTING)
        or (isinstance(node, ast.Attribute) and node.attr in _ASSERTING)
        for node in own_nodes(comparison.left)
    )


def _moves_an_iterator(module: TestModule, scope: Scope, comparison: ast.Compare) -> bool:
    last = comparison.comparators[-1]
    value = module.value(last.id, scope) if isinstance(last, ast.Name) else last
    if not isinstance(comparison.ops[-1], (ast.In, ast.NotIn)):
        return False
    return isinstance(value, ast.GeneratorExp) or (
        isinstance(value, ast.Call) and terminal_name(value.func) in _ITERATORS
    )


def _is_overloaded(module: TestModule, scope: Scope, comparison: ast.Compare) -> bool:
    """Whether the comparison may be an operator of a library that gives it another meaning."""
    if not any(isinstance(operator, _OPERATORS) for operator in comparison.ops):
        return False
    return any(_may_overload(module, scope, side, 4) for side in _sides(comparison))


def _may_overload(module: TestModule, scope: Scope, expression: ast.expr, depth: int) -> bool:
    if terminal_name(expression) in _PLAIN_ATTRIBUTES:
        return False
    root = _root(expression)
    if not isinstance(root, ast.Name):
        return False  # a literal
    package = module.resolve(root, scope).partition(".")[0]
    if package in _OVERLOADING:
        return True
    if package == "builtins" or package in sys.stdlib_module_names:
        return False
    value = module.value(root.id, scope)
    if value is not None and depth:
        return _may_overload(module, scope, value, depth - 1)
    return module.once(_is_about_overloading)


def _root(expression: ast.expr) -> ast.expr:
    while True:
        if isinstance(expression, (ast.Attribute, ast.Subscript, ast.Await)):
            expression = expression.value
        elif isinstance(expression, ast.Call):
            expression = expression.func
        elif isinstance(expression, ast.BinOp):
            expression = expression.left
        elif isinstance(expression, ast.UnaryOp):
            expression = expression.operand
        else:
            return expression


def _is_about_overloading(module: TestModule) -> bool:
    """Whether what a name stands for may well be such an object: the file belongs to such a library, or imports one."""
    if _OVERLOADING.intersection(module.path.split("/")):
        return True
    plain = (alias.name for node, _ in module.each(ast.Import) for alias in node.names)
    packages = (node.module or "" for node, _ in module.each(ast.ImportFrom))
    return any(name.partition(".")[0] in _BUILDERS for name in (*plain, *packages))


def _sides(comparison: ast.Compare) -> list[ast.expr]:
    return [comparison.left, *comparison.comparators]


CHECK = Check("PSA006", "discarded-comparison", DEFECT, __doc__, BAD, GOOD, rule)
