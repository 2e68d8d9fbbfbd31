"""A test returns before its first assertion, and is counted as passed.

On a machine where the condition holds (no network, another platform, a missing library) the
report shows a green test in which nothing was checked, and nobody can tell it from a real pass. In a
test of something security-relevant that is a *defect*, unless it is an argument of the test that decides
(`if kind == "none"`): then the other variants are checked.

Instead: call `pytest.skip("why")` (or `self.skipTest("why")`), which is counted and shows the reason, or
put the condition into `@pytest.mark.skipif`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.model import ADVISORY, DEFECT, Check, Hit, Proof
from pytest_secaudit.source import Scope, TestModule, own_nodes, parameter_names, source_of, terminal_name
from pytest_secaudit.source.left import gets_no_fixtures
from pytest_secaudit.source.oracles import called, is_assertion, is_raises, lines_of, may_assert, raises_block

BAD = (
    """
import pytest
import sys

def test_links(tmp_path):
    if sys.platform == "win32":  # PSA012
        return
    assert make_link(tmp_path)

@pytest.mark.parametrize("kind", ["a", "b"])
def test_kinds(kind):
    data = load(kind)
    if not data:  # PSA012
        print("nothing to do for", kind)
        return None
    if kind == "b":
        return
    with pytest.raises(ValueError):
        data.store()

def test_login_page(client):
    if client is None:  # PSA012 defect
        return
    assert client.get("/login")
""",
    """
import pytest

@pytest.mark.parametrize("algorithm", ["RS256", "none"])
def test_token(algorithm):
    if algorithm == "none":  # PSA012 advisory
        return
    assert verify(make_token(algorithm))

def test_permission_of_rows(database):
    if "sqlite" == database:  # PSA012 advisory
        return
    assert not read_row(database, user="other")

class TestSecret:
    def test_secret_file(self, tmp_path):
        if os.name == "nt":  # PSA012 defect
            return
        assert make_secret(tmp_path).mode == 0o600
""",
    """
import unittest

class TestFeature(unittest.TestCase):
    def test_feature(self):
        '''Docstring.'''
        if not self.feature:  # PSA012
            return
        else:
            self.assertTrue(self.feature.works)

    async def test_other(self):
        if self.kind not in ("a", "b"):  # PSA012
            # not for this kind
            return
        for item in await self.items():
            self.assertEqual(item, 1)
""",
)
GOOD = (
    """
import pytest
import unittest

def test_skips(x):
    if not x:
        pytest.skip("no x")
    assert x

def test_checked_before(x):
    assert x
    if x == 1:
        return
    assert x > 2

def test_checked_by_helper(x):
    check_all(x)
    if x == 1:
        return
    assert x > 2

def _prove(x):
    assert x

def test_checked_by_helper_of_this_file(x):
    _prove(x)
    if x == 1:
        return
    assert x > 2

def test_checked_by_raises(x):
    with pytest.raises(ValueError):
        x()
    if x:
        return
    assert x

def test_checked_by_own_block(x):
    with x.raise_point(ValueError):
        x.payload()
    if x.is_strict:
        return
    assert x

class TestSkip(unittest.TestCase):
    def test_skip(self):
        if not self.x:
            self.skipTest("no x")
            return
        self.assertTrue(self.x)

    def test_returns_skip(self):
        if not self.x:
            return self.skipTest("no x")
        self.assertTrue(self.x)
""",
    """
def test_two_ways(x):
    if x == 1:
        assert x.one
        return
    assert x.other

def test_other_way(x, run):
    if x == 1:
        run(x)
        return
    assert x.other

def test_hands_on(x):
    if x == 1:
        return other(x)
    assert x.other

def test_nothing_follows(x):
    if x:
        return
    x.run()

def test_only_nested(x):
    def inner():
        if x:
            return
        assert x
    inner()

def test_else_asserts_first(x):
    if x:
        assert x
    else:
        return
    assert x.y

def helper(x):
    if x:
        return
    assert x
""",
    """
import pytest

def test_no_news_is_good_news(path, messages):
    if path not in messages:
        return
    found = "".join(messages[path])
    if found:
        pytest.fail(found)

def test_search(items):
    if 3 in items:
        return
    assert False, "no 3"

def test_exact_or_close(compute, wanted):
    result = compute()
    if result == wanted:
        return
    assert abs(result - wanted) < 1e-9
""",
    """
from hypothesis import given, strategies as st

@given(st.integers())
def test_property(x):
    if x == 0:
        return
    assert 1 / x

class TestAbstract:
    def test_interface(self):
        if type(self) is TestAbstract:
            return
        assert self.make()

    def test_interface_too(self):
        if self.__class__ == TestAbstract:
            return
        assert self.make()

def test_fork(os):
    pid = os.fork()
    if pid == 0:
        return
    assert os.waitpid(pid, 0)

def test_never(x):
    if False:
        return
    assert x
""",
    """
import pytest

@pytest.fixture
def test_data(x):
    if not x:
        return
    assert x

def test_generated(run):
    class TestInner:
        def test_a(self):
            if not self.x:
                return
            assert self.x
    run(TestInner)

@pytest.mark.skip(reason="later")
def test_skipped(x):
    if not x:
        return
    assert x
""",
)

#: Calls that only tell; a guard that does more than telling is another way through the test.
_TELLS = frozenset("debug error exception info log print warn warning write".split())
#: Conditions that are no state of the machine: an abstract base, a forked child, the type checker.
_NOT_THE_MACHINE = frozenset(("TYPE_CHECKING", "__class__", "fork", "pid", "type"))
_EXPECTING = re.compile(r"rais|warn|expect|assert|check|verif|error|quer", re.IGNORECASE)


def rule(module: TestModule) -> Iterator[Hit]:
    for test in module.tests():
        if not test.of(ast.Return) or not test.is_importable:
            continue
        guard = _silent_guard(module, test)
        if guard is not None and not _is_sampled_or_skipped(module, test):
            behind = sorted(_assertions_behind(module, test, guard), key=lambda statement: statement.lineno)
            if behind:
                yield _hit(module, test, guard, behind)


def _hit(module: TestModule, test: Scope, guard: ast.If, behind: list[ast.stmt]) -> Hit:
    lines = [statement.lineno for statement in behind]
    word = security_word(test.name) or security_word(module.path.rpartition("/")[2].removesuffix(".py"))
    condition = source_of(guard.test)
    skip = "self.skipTest" if gets_no_fixtures(module, test) else "pytest.skip"
    by_argument = _is_about_an_argument(test, guard.test)
    argument = ", for some of its arguments" if by_argument else ""
    return Hit(
        guard,
        f"passes without a check if {condition}{argument}: {_never(lines)}",
        fix=f'{skip}("...") in place of the return',
        severity=DEFECT if word and not by_argument else None,
        security=word,
        decided_by=Proof(
            "returned",
            lines_of(module, behind),
            at=lines_of(module, guard.body),
            said=f"{test.name} passed without a check, as {condition}{argument}: {_never(lines, past=True)}",
        ),
    )


def _is_about_an_argument(test: Scope, condition: ast.expr) -> bool:
    """``kind == "none"``: compares a parametrised argument or a fixture with a constant; ``None`` says it is missing."""
    if isinstance(condition, ast.BoolOp):
        about = [_is_about_an_argument(test, value) for value in condition.values]
        return any(about) if isinstance(condition.op, ast.And) else all(about)
    if isinstance(condition, ast.UnaryOp):
        return _is_about_an_argument(test, condition.operand)
    if not isinstance(condition, ast.Compare):
        return False
    sides = [condition.left, *condition.comparators]
    arguments = set(parameter_names(test.node)) - {"self", "cls"}
    rest = [side for side in sides if not (isinstance(side, ast.Name) and side.id in arguments)]
    return 0 < len(rest) < len(sides) and all(_is_constant(side) for side in rest)


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(_is_constant(element) for element in node.elts)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return terminal_name(node).isupper()
    return isinstance(node, ast.Constant) and node.value is not None


def _never(lines: list[int], *, past: bool = False) -> str:
    if len(lines) == 1:
        return f"the assertion in line {lines[0]} {'was' if past else 'is'} not reached"
    shown = ", ".join(map(str, lines[:4])) + (", ..." if len(lines) > 4 else "")
    return f"the assertions in lines {shown} {'were' if past else 'are'} not reached"


def _silent_guard(module: TestModule, test: Scope) -> ast.If | None:
    """The first ``if ...: return`` among the test's own statements, if nothing before it may have checked something."""
    for statement in test.body:
        if isinstance(statement, ast.If) and _only_returns(statement.body):
            return statement if _depends_on_the_machine(statement.test) and not _is_the_check(test, statement) else None
        if may_assert(module, test, (statement,)) or _enters_a_check(statement):
            return None
    return None


def _enters_a_check(statement: ast.stmt) -> bool:
    """Whether a block is one of the project's own that expects something (``with self.raise_point(Error):``)."""
    contexts = (
        [item.context_expr for item in statement.items] if isinstance(statement, (ast.With, ast.AsyncWith)) else []
    )
    return any(_EXPECTING.search(source_of(context)) for context in contexts)


def _only_returns(body: list[ast.stmt]) -> bool:
    last = body[-1]
    if not isinstance(last, ast.Return):
        return False
    returns_nothing = last.value is None or (isinstance(last.value, ast.Constant) and last.value.value is None)
    return returns_nothing and all(_only_tells(statement) for statement in body[:-1])


def _only_tells(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    call = called(statement)
    return call is not None and terminal_name(call.func) in _TELLS


def _depends_on_the_machine(condition: ast.expr) -> bool:
    if isinstance(condition, ast.Constant) and not condition.value:
        return False
    names = {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in own_nodes(condition)
        if isinstance(node, (ast.Name, ast.Attribute))
    }
    return not names & _NOT_THE_MACHINE


def _is_the_check(test: Scope, guard: ast.If) -> bool:
    """Whether the guard is the strict half of a check: ``if a == b: return``, then ``assert`` that they are close."""
    if not isinstance(guard.test, ast.Compare) or not isinstance(guard.test.ops[0], ast.Eq):
        return False
    compared = {side.id for side in (guard.test.left, *guard.test.comparators) if isinstance(side, ast.Name)}
    if len(compared) < 2 or compared <= set(parameter_names(test.node)):
        return False
    later = (node for node in (*test.of(ast.Assert), *test.of(ast.Expr)) if node.lineno > guard.lineno)
    return any(
        compared <= {node.id for node in own_nodes(statement) if isinstance(node, ast.Name)} for statement in later
    )


def _is_sampled_or_skipped(module: TestModule, test: Scope) -> bool:
    """A property test that passes over some of its examples checks the others; a skipped test is counted as skipped."""
    around = [test, test.enclosing] if test.enclosing is not None else [test]
    names = {name.rpartition(".")[2] for scope in around for name, _ in module.decorators(scope)}
    return bool(names & {"given", "fuzz", "skip"})


def _assertions_behind(module: TestModule, scope: Scope, after: ast.If) -> Iterator[ast.stmt]:
    """What surely asserts, from the guard on; a mere ``fail`` there makes the guard the check."""
    statements = [node for node in (*scope.of(ast.Assert), *scope.of(ast.Expr)) if node.lineno > after.lineno]
    for statement in statements:
        call = called(statement)
        if not _only_fails(statement) and (
            is_assertion(statement) or (call is not None and is_raises(module, scope, call))
        ):
            yield statement
    blocks: list[ast.With | ast.AsyncWith] = [*scope.of(ast.With), *scope.of(ast.AsyncWith)]
    for block in blocks:
        if block.lineno > after.lineno and raises_block(module, scope, block):
            yield block


def _only_fails(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Assert):
        return isinstance(statement.test, ast.Constant) and not statement.test.value
    call = called(statement)
    return call is not None and terminal_name(call.func) == "fail"


CHECK = Check("PSA012", "silent-early-return", ADVISORY, __doc__, BAD, GOOD, rule)
