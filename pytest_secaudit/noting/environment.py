"""What the tests of a file stand on: base classes, and the fixtures that they ask for."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of
from pytest_secaudit.source import Role, TestModule, dotted_name, parameter_names, source_of, terminal_name
from pytest_secaudit.source.syntax import WITHS

#: What replaces something; the notes on patches name these.
_PATCHES = frozenset(("EnvironmentVariable", "MockPatch", "MockPatchObject", "MonkeyPatch"))
_PLAIN_BASES = frozenset(("object", "unittest.TestCase", "unittest.case.TestCase", "unittest.IsolatedAsyncioTestCase"))
_OF_FUNCTIONS = frozenset(("self", "cls"))


def environment(module: TestModule) -> Iterator[Note]:
    """Bases, ``useFixture``, parameters that are fixtures."""
    yield from _bases(module)
    yield from _used(module)
    yield from _asked_for(module)


def _bases(module: TestModule) -> Iterator[Note]:
    tested = {scope.owner_class for scope in module.tests()}
    for scope in module.scopes:
        if scope.is_class and scope in tested:
            for base in module.base_names(scope):
                if base:
                    kind = "plain base" if base in _PLAIN_BASES else "base"
                    first = lines_of(scope.node)[0]
                    last = max([first, *(lines_of(node)[1] for node in scope.node.bases)])  # type: ignore[attr-defined]
                    yield Note(1, kind, (first, last), scope.name, subject=base)


def _used(module: TestModule) -> Iterator[Note]:
    for call, scope in module.calls("useFixture", "use_fixture"):
        made = call.args[0] if call.args else None
        if isinstance(made, ast.Call) and terminal_name(made.func) not in _PATCHES:
            name = module.resolve(made.func, scope) or dotted_name(made.func)
            yield Note(1, "fixture", lines_of(call), name.rpartition(".")[2] or source_of(made), subject=name)
    for statement, scope in module.each(*WITHS):
        for item in statement.items:  # type: ignore[attr-defined]
            for made in _calls(item.context_expr):
                name = module.resolve(made.func, scope) or dotted_name(made.func)
                if name.endswith("Fixture"):
                    yield Note(1, "fixture", lines_of(made), name.rpartition(".")[2], subject=name)


def _calls(context: ast.expr) -> list[ast.Call]:
    """The calls that make what a ``with`` enters: one, or some that are nested in one."""
    return [node for node in ast.walk(context) if isinstance(node, ast.Call)]


def _asked_for(module: TestModule) -> Iterator[Note]:
    """The fixtures of pytest, each with the lines of the tests that ask for it."""
    users: defaultdict[str, list[int]] = defaultdict(list)
    for scope in module.functions(Role.TEST, Role.FIXTURE, Role.SETUP):
        if _is_of_pytest(module, scope.owner_class):
            given = _parametrized(module, scope)
            for name in parameter_names(scope.node):
                if name not in _OF_FUNCTIONS and name not in given:
                    users[name].append(lines_of(scope.node)[0])
    for name, lines in users.items():
        yield Note(1, "asked for", (lines[0], lines[-1]), name, marks=(str(len(lines)),))


def _is_of_pytest(module: TestModule, cls: object) -> bool:
    return cls is None or not any(
        base.endswith("TestCase") for scope in module.scopes if scope is cls for base in module.base_names(scope)
    )


def _parametrized(module: TestModule, scope: object) -> set[str]:
    """Parameters that a mark gives values to, or a decorator of mock a stand-in."""
    given: set[str] = set()
    around = next((one for one in module.scopes if one is scope), None)
    while around is not None:
        for name, decorator in module.decorators(around):
            if name.endswith("parametrize") and isinstance(decorator, ast.Call) and decorator.args:
                first = decorator.args[0]
                names = first.elts if isinstance(first, (ast.Tuple, ast.List)) else [first]
                for part in names:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        given.update(word.strip() for word in part.value.split(","))
            elif "patch" in name and around.is_function:
                given.update(parameter_names(around.node))  # which of them are mocks, the file does not tell
        around = around.enclosing
    return given
