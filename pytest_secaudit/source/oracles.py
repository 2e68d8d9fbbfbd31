"""What in a test decides its outcome: assertions, failures, expected exceptions.

Two readings of "asserts" are needed. A rule that claims *this assertion is dead* must be sure that
it is one (`is_assertion`); a rule that claims *nothing here asserts* must be sure of that
(`may_assert`, which believes every name that could be a check, and follows helpers of the file).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import cast

from pytest_secaudit.source.module import FUNCTIONS, Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name
from pytest_secaudit.source.syntax import TRIES, WITHS

_MAYBE = re.compile(
    r"^_*(assert|check|ensure|expect|fail|match|must|should|test|validate|verif)|_?assert", re.IGNORECASE
)
_RAISES = re.compile(r"^_?(assertRaises\w*|assert_raises\w*|raises|expect_raises\w*|RaisesGroup)$")
_DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
#: Assertions of the standard library and of its snake_case relatives: they evaluate nothing but their arguments.
_STANDARD = frozenset(
    """
    true false equal equals notequal is isnot isnone isnotnone in notin isinstance notisinstance almostequal
    notalmostequal greater greaterequal less lessequal regex notregex countequal multilineequal sequenceequal
    listequal tupleequal setequal dictequal itemsequal dictcontainssubset items_equal
    """.split()
) | {""}
#: Expected types with which an assertion inside the block can be what is expected.
ASSERTION_ERRORS = frozenset(("AssertionError", "failureException", "Failed", "Exit", "Exception", "BaseException"))


def is_assertion(statement: ast.AST) -> bool:
    """Whether a statement is an ``assert``, or calls a method or function named like an assertion or ``fail``."""
    if isinstance(statement, ast.Assert):
        return True
    call = called(statement)
    if call is None:
        return False
    name = terminal_name(call.func)
    return name == "fail" or (name.startswith(("assert", "_assert")) and not _RAISES.match(name))


def is_standard_assertion(statement: ast.AST) -> bool:
    """Whether it is ``assert`` or a well-known assertion method: not a helper that may be what is tested."""
    if isinstance(statement, ast.Assert):
        return True
    call = called(statement)
    name = terminal_name(call.func) if call is not None else ""
    return name.startswith("assert") and name.removeprefix("assert").replace("_", "").lower() in _STANDARD


def called(statement: ast.AST) -> ast.Call | None:
    """The call that an expression statement consists of, awaited or not."""
    if not isinstance(statement, ast.Expr):
        return None
    value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    return value if isinstance(value, ast.Call) else None


def may_assert(module: TestModule, scope: Scope, nodes: Iterable[ast.AST], depth: int = 4) -> bool:
    """Whether anything under ``nodes`` could check something, helpers of the same file included."""
    return next(possible_checks(module, scope, nodes, depth), None) is not None


def possible_checks(module: TestModule, scope: Scope, nodes: Iterable[ast.AST], depth: int = 4) -> Iterator[ast.AST]:
    """The nodes under ``nodes`` that could check something."""
    for root in nodes:
        for node in own_nodes(root):
            if isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and _checks(module, scope, node, depth)):
                yield node


def _checks(module: TestModule, scope: Scope, call: ast.Call, depth: int) -> bool:
    name = terminal_name(call.func)
    if _MAYBE.search(name) or _RAISES.match(name):
        return True
    helper = module.definition(call.func, scope) if depth and name else None
    if helper is None or not helper.is_function or helper is scope:
        return False
    return may_assert(module, helper, helper.body, depth - 1)


def raises_block(
    module: TestModule, scope: Scope, statement: ast.With | ast.AsyncWith
) -> tuple[ast.Call, str | None] | None:
    """The expected-exception call of a ``with``, and the name it is bound to, if any.

    Knows ``pytest.raises`` and every ``assertRaises``-like method.
    """
    for item in statement.items:
        call = item.context_expr
        if isinstance(call, ast.Call) and is_raises(module, scope, call):
            bound = item.optional_vars
            return call, bound.id if isinstance(bound, ast.Name) else None
    return None


def is_raises(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    """Whether a call builds an expected-exception context."""
    name = terminal_name(call.func)
    if not _RAISES.match(name):
        return False
    if name != "raises":
        return True
    full = module.resolve(call.func, scope)
    return full == "pytest.raises" or not full


def expected_types(call: ast.Call) -> list[str]:
    """The last names of the exception types that a raises call expects."""
    first: ast.expr | None = call.args[0] if call.args else None
    for keyword in call.keywords:
        if keyword.arg in ("expected_exception", "expected_exceptions"):
            first = keyword.value
    types = first.elts if isinstance(first, ast.Tuple) else [first] if first is not None else []
    return [terminal_name(item) for item in types]


def handler_types(handler: ast.ExceptHandler) -> list[str]:
    """The last names of the types that a handler catches; ``BaseException`` for a bare ``except``."""
    if handler.type is None:
        return ["BaseException"]
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [terminal_name(item) or dotted_name(item) for item in types]


# --- statements that always fail


def is_failure(statement: ast.AST) -> bool:
    """Whether a statement fails whenever it is reached: ``fail()``, ``assert False``, ``assertTrue(0)``."""
    if isinstance(statement, ast.Assert):
        return _truth(statement.test) is False
    call = called(statement)
    if call is None:
        return False
    name = terminal_name(call.func)
    if name == "fail":
        return dotted_name(call.func) in ("fail", "self.fail", "cls.fail", "pytest.fail")
    first = _truth(call.args[0]) if call.args else None
    if name in ("assertTrue", "assert_", "assert_true", "failUnless"):
        return first is False
    return name in ("assertFalse", "assert_false", "failIf") and first is True


def _truth(expression: ast.expr) -> bool | None:
    """The truth of a constant; None for anything else."""
    if isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.Not):
        inner = _truth(expression.operand)
        return None if inner is None else not inner
    return bool(expression.value) if isinstance(expression, ast.Constant) else None


# --- what runs, and in which order


def nodes_of(statements: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Every node that runs when the statements run: nothing inside definitions among them."""
    for statement in statements:
        if not isinstance(statement, _DEFINITIONS):
            yield from own_nodes(statement)


def assertions_in(statements: Iterable[ast.AST]) -> Iterator[ast.stmt]:
    """The assertion statements among the statements, at any depth."""
    for node in nodes_of(statements):
        if isinstance(node, ast.stmt) and is_assertion(node):
            yield node


def calls_in(statements: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """The calls that the statements make."""
    for node in nodes_of(statements):
        if isinstance(node, ast.Call):
            yield node


def statements_after(scope: Scope, statement: ast.AST) -> Iterator[ast.stmt]:
    """The statements that can follow one within its function: its later siblings, then those of what is around it."""
    inner = statement
    for outer in (*scope.ancestors(statement), scope.node):
        for _, suite in ast.iter_fields(outer):
            if isinstance(suite, list) and inner in suite and isinstance(inner, ast.stmt):
                yield from suite[suite.index(inner) + 1 :]
        if isinstance(outer, TRIES):
            yield from cast("ast.Try", outer).finalbody
        inner = outer


def last_call(statements: list[ast.stmt]) -> tuple[ast.stmt, ast.Call] | None:
    """The last call of a suite, and the simple statement that makes it: what the suite is about."""
    for statement in reversed(statements):
        suite: list[ast.stmt] = [] if isinstance(statement, _DEFINITIONS) else getattr(statement, "body", [])
        compound = bool(suite)
        found = last_call(suite)
        if found is not None:
            return found
        call = next(calls_in([statement]), None)
        if call is not None and (not compound or isinstance(statement, WITHS)):
            return statement, call
    return None


def call_name(call: ast.Call) -> str:
    """``connect()``: how a message names a call."""
    return f"{dotted_name(call.func) or terminal_name(call.func) or source_of(call.func, 30)}()"


# --- handlers


def tries(module: TestModule) -> Iterator[tuple[ast.Try, Scope]]:
    """Every ``try`` with its scope; ``try``/``except*`` has the same fields and is among them."""
    for statement, scope in module.each(*TRIES):
        yield cast("ast.Try", statement), scope


def is_builtin_error(module: TestModule, scope: Scope, expression: ast.expr | None, *names: str) -> bool:
    """Whether it is one of these builtin exceptions, and not another of the same name (``pytest.fail.Exception``)."""
    # The name first: resolving it looks at the whole function.
    if not isinstance(expression, (ast.Name, ast.Attribute)) or terminal_name(expression) not in names:
        return False
    return module.resolve(expression, scope) == f"builtins.{terminal_name(expression)}"


def catches(module: TestModule, scope: Scope, handler: ast.ExceptHandler, assertion: ast.stmt) -> bool:
    """Whether a handler catches what the assertion raises; ``pytest.fail`` passes by ``except Exception``."""
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if _fails_through_pytest(module, scope, assertion):
        return any(
            is_builtin_error(module, scope, item, "BaseException") or dotted_name(item).endswith("fail.Exception")
            for item in types
        )
    return any(
        is_builtin_error(module, scope, item, "AssertionError", "Exception", "BaseException")
        or terminal_name(item) == "failureException"
        for item in types
    )


def _fails_through_pytest(module: TestModule, scope: Scope, assertion: ast.stmt) -> bool:
    call = called(assertion)
    if call is None or terminal_name(call.func) != "fail":
        return False
    return not (isinstance(call.func, ast.Attribute) and dotted_name(call.func.value) in ("self", "cls"))


def caught_assertion(module: TestModule, scope: Scope, statement: ast.Try) -> tuple[ast.ExceptHandler, ast.stmt] | None:
    """The first assertion of a ``try`` body that a handler of it catches, and that handler."""
    if not any(ASSERTION_ERRORS.intersection(handler_types(handler)) for handler in statement.handlers):
        return None
    for assertion in assertions_in(statement.body):
        if not _shielded(module, scope, statement, assertion):
            for handler in statement.handlers:
                if catches(module, scope, handler, assertion):
                    return handler, assertion
    return None


def _shielded(module: TestModule, scope: Scope, statement: ast.Try, assertion: ast.stmt) -> bool:
    """Whether something inside the ``try`` catches the assertion before its handlers can."""
    inner: ast.AST = assertion
    for outer in scope.ancestors(assertion):
        if outer is statement:
            return False
        if isinstance(outer, WITHS) and _suppresses(module, scope, outer):
            return True
        if isinstance(outer, TRIES) and inner in (block := cast("ast.Try", outer)).body:
            if any(catches(module, scope, handler, assertion) for handler in block.handlers):
                return True
        inner = outer
    return False


def _suppresses(module: TestModule, scope: Scope, statement: ast.With | ast.AsyncWith) -> bool:
    if raises_block(module, scope, statement) is not None:
        return True
    calls = [item.context_expr for item in statement.items if isinstance(item.context_expr, ast.Call)]
    return any(terminal_name(call.func) in ("suppress", "ignored", "warns") for call in calls)


def skips(statement: ast.AST) -> bool:
    """Whether a statement skips the test."""
    if isinstance(statement, ast.Raise):
        error = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return error is not None and terminal_name(error) in ("SkipTest", "Skipped")
    returned = statement.value if isinstance(statement, ast.Return) else None
    call = returned if isinstance(returned, ast.Call) else called(statement)
    if call is None:
        return False
    name = dotted_name(call.func)
    return name in ("skip", "pytest.skip", "self.skip", "self.skipTest", "skipTest", "cls.skipTest")


# --- what code leaves behind for later code to read


def stored_names(statements: Iterable[ast.AST]) -> set[str]:
    """The names, ``self.x`` included, that the statements assign; ``x`` for ``x[0] = 1``."""
    found: set[str] = set()
    for node in nodes_of(statements):
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and not isinstance(node.ctx, ast.Load):
            target: ast.expr = node
            while isinstance(target, ast.Subscript):
                target = target.value
            found.add(dotted_name(target))
    return found - {""}


def passes_on(scope: Scope, statements: list[ast.stmt], within: Iterable[ast.AST]) -> bool:
    """Whether what the statements assign may be read later: an attribute, a name from outside, or a local that is."""
    names = stored_names(statements)
    return any("." in name or name not in scope.bound() for name in names) or is_read(scope, names, within)


def is_read(scope: Scope, names: set[str], within: Iterable[ast.AST]) -> bool:
    """Whether any of the names is read in the function outside the nodes of ``within``."""
    own = set(within)
    return any(
        node not in own
        and isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Load)
        and dotted_name(node) in names
        for part in scope.within()
        for node in own_nodes(part.node)
    )


# --- the lines by which a run tells whether something ran


def lines_of(module: TestModule, statements: Iterable[ast.stmt]) -> tuple[int, ...]:
    """The lines of the statements (of a block: of its head); none where one shares its line with something else."""
    found: set[int] = set()
    for statement in statements:
        before = module.lines[statement.lineno - 1].encode()[: statement.col_offset]
        if before.strip():
            return ()  # ``if found: assert found.total``: that the line ran says nothing about the assertion
        body: list[ast.stmt] | None = getattr(statement, "body", None)
        last = max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno or statement.lineno
        found.update(range(statement.lineno, last + 1))
    return tuple(sorted(found))


def start_of(block: ast.Try | ast.With | ast.AsyncWith) -> tuple[int, ...]:
    """The lines of which one runs whenever the block is entered: from its keyword to the head of its first statement."""
    first = block.body[0]
    inner: list[ast.stmt] | None = getattr(first, "body", None)
    last = max(first.lineno, inner[0].lineno - 1) if inner else first.end_lineno or first.lineno
    return tuple(range(block.lineno, last + 1))


def guards(scope: Scope) -> Iterator[ast.stmt]:
    """The statements of a function that fail whenever they are reached."""
    for statement in (*scope.of(ast.Assert), *scope.of(ast.Expr), *scope.of(ast.Raise)):
        if is_failure(statement) or _raises_assertion_error(statement):
            yield statement


def _raises_assertion_error(statement: ast.AST) -> bool:
    if not isinstance(statement, ast.Raise) or statement.exc is None:
        return False
    error = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
    return terminal_name(error) in ("AssertionError", "failureException")


# --- whether a test that passes has checked something


#: Methods of test cases that check nothing.
_OF_UNITTEST = frozenset(
    """
    addAsyncCleanup addCleanup addClassCleanup addTypeEqualityFunc countTestCases doCleanups enterAsyncContext
    enterContext id setUp shortDescription subTest tearDown useFixture
    """.split()
)
_EXPECTS = re.compile(r"^(warns|deprecated_call|no_leaks)$")


def surely_checks(module: TestModule, scope: Scope) -> bool:
    """Whether something was checked whenever the function has run to its end, by it or by what decorates it."""
    if any(name.rpartition(".")[2] == "no_leaks" for name, _ in module.decorators(scope)):
        return True
    if ast.Return not in scope.nodes and any(map(is_assertion, scope.body)):
        return True  # the common case, without a closer look
    # Helpers are looked for only where nothing of its own does.
    return _suite_checks(module, scope, scope.body, 0) or _suite_checks(module, scope, scope.body, 4)


def check_lines(module: TestModule, test: Scope) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The lines of what may check something, in a test and the helpers of this file that it calls.

    Returns:
        The lines, and what is called that may check but stands elsewhere, or cannot be told by its line.
    """
    lines: set[int] = set()
    unseen: dict[str, None] = {}
    todo, done = [test], {test}
    while todo:
        for scope in todo.pop().within():
            for statement in _own_statements(scope):
                if not _is_check(module, scope, statement):
                    continue
                found = lines_of(module, [statement])
                lines.update(found)
                if not found:
                    unseen[""] = None
            for call in scope.calls:
                helper = module.definition(call.func, scope)
                if helper is not None and helper.is_function:
                    if helper not in done and len(done) < 50:
                        done.add(helper)
                        todo.append(helper)
                elif _may_check_elsewhere(call):
                    unseen[dotted_name(call.func) or terminal_name(call.func)] = None
    return tuple(sorted(lines)), tuple(unseen)


def _own_statements(scope: Scope) -> Iterator[ast.stmt]:
    yield from scope.of(ast.Assert)
    yield from scope.of(ast.Expr)
    yield from scope.of(ast.Assign)
    yield from scope.of(ast.Return)
    yield from scope.of(ast.With)
    yield from scope.of(ast.AsyncWith)
    yield from scope.of(ast.If)


def _may_check_elsewhere(call: ast.Call) -> bool:
    """A helper that is inherited, or that is called like a check."""
    name = terminal_name(call.func)
    if name.startswith("assert") or _RAISES.match(name) or _EXPECTS.match(name) or name in ("fail", "skipTest"):
        return False  # known for what it is, where it stands
    if name in _OF_UNITTEST:
        return False
    of_self = isinstance(call.func, ast.Attribute) and dotted_name(call.func.value) in ("self", "cls")
    return of_self or bool(_MAYBE.search(name))


def _suite_checks(module: TestModule, scope: Scope, statements: Iterable[ast.stmt], depth: int) -> bool:
    for statement in statements:
        if _statement_checks(module, scope, statement, depth):
            return True
        if isinstance(statement, ast.Raise) or _may_leave(scope, statement):
            return False
    return False


def _may_leave(scope: Scope, statement: ast.stmt) -> bool:
    last = statement.end_lineno or statement.lineno
    return any(statement.lineno <= node.lineno <= last for node in scope.of(ast.Return))


def _statement_checks(module: TestModule, scope: Scope, statement: ast.stmt, depth: int) -> bool:
    if _is_check(module, scope, statement) or _is_a_sure_helper(module, scope, statement, depth):
        return True
    if isinstance(statement, WITHS):
        names = [terminal_name(item.context_expr.func) for item in statement.items if _is_call(item.context_expr)]  # type: ignore[attr-defined]
        return "suppress" not in names and _suite_checks(module, scope, statement.body, depth)
    if isinstance(statement, ast.If):
        return _suite_checks(module, scope, statement.body, depth) and _suite_checks(
            module, scope, statement.orelse, depth
        )
    if isinstance(statement, (ast.For, ast.AsyncFor)):
        return (
            isinstance(statement.iter, (ast.Tuple, ast.List))
            and bool(statement.iter.elts)
            and not any(isinstance(node, (ast.Break, ast.Continue)) for node in nodes_of(statement.body))
            and _suite_checks(module, scope, statement.body, depth)
        )
    if isinstance(statement, TRIES):
        return _try_checks(module, scope, cast("ast.Try", statement), depth)
    return False


def _try_checks(module: TestModule, scope: Scope, attempt: ast.Try, depth: int) -> bool:
    if _suite_checks(module, scope, attempt.finalbody, depth):
        return True
    handled = all(_suite_checks(module, scope, handler.body, depth) or _ends(handler) for handler in attempt.handlers)
    if any(_ends(handler) for handler in attempt.handlers) and handled:
        return True  # it has passed, so what must not be raised was not
    return handled and _suite_checks(module, scope, [*attempt.body, *attempt.orelse], depth)


def _ends(handler: ast.ExceptHandler) -> bool:
    """Whether the test fails where the handler runs."""
    last = handler.body[-1]
    return is_failure(last) or (isinstance(last, ast.Raise) and (last.exc is None or _raises_assertion_error(last)))


def _is_check(module: TestModule, scope: Scope, statement: ast.stmt) -> bool:
    """Whether running the statement checks something: an assertion, an expected error, a way to fail."""
    if is_assertion(statement):
        return True
    if isinstance(statement, WITHS):
        return any(_is_call(item.context_expr) and _is_expecting(item.context_expr) for item in statement.items)
    if isinstance(statement, ast.If):  # ``if broken: fail()``
        return any(
            is_failure(inner) or _raises_assertion_error(inner) for inner in (*statement.body, *statement.orelse)
        )
    if isinstance(statement, (ast.Expr, ast.Assign, ast.Return)):
        value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        return value is not None and _is_call(value) and _is_expecting(value)
    return False


def _is_call(expression: ast.expr) -> bool:
    return isinstance(expression, ast.Call)


def _is_expecting(call: ast.expr) -> bool:
    name = terminal_name(call.func) if isinstance(call, ast.Call) else ""
    return name.startswith(("assert", "_assert")) or bool(_RAISES.match(name) or _EXPECTS.match(name))


def _is_a_sure_helper(module: TestModule, scope: Scope, statement: ast.stmt, depth: int) -> bool:
    """Whether it calls a function of this file that surely checks."""
    if not depth or not isinstance(statement, (ast.Expr, ast.Assign, ast.Return)) or statement.value is None:
        return False
    awaited = isinstance(statement.value, ast.Await)
    call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
    helper = module.definition(call.func, scope) if isinstance(call, ast.Call) else None
    if helper is None or not helper.is_function or helper is scope:
        return False
    if (
        isinstance(helper.node, ast.AsyncFunctionDef) is not awaited
        or ast.Yield in helper.nodes
        or ast.YieldFrom in helper.nodes
    ):
        return False  # it is made, and does not run here
    if any(not name.rpartition(".")[2].endswith("method") for name, _ in module.decorators(helper)):
        return False  # what stands in its place is unknown
    known = module.once(_known_helpers)
    if helper not in known:
        known[helper] = False  # while it is looked at: it may call itself
        known[helper] = _suite_checks(module, helper, helper.body, depth - 1)
    return known[helper]


def _known_helpers(module: TestModule) -> dict[Scope, bool]:
    """What has been found out so far of the helpers of this file."""
    return {}
