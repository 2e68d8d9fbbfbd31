"""A parsed test module, and the questions that rules ask of it.

Everything here is answered from the file alone, so that the answers can be cached by content.
What only live objects know is left open as a `Question` on the hit.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pytest_secaudit.conventions import Conventions
from pytest_secaudit.source.comments import comments_between
from pytest_secaudit.source.names import Names
from pytest_secaudit.source.syntax import (
    FUNCTIONS,
    Function,
    Index,
    NodeT,
    Scope,
    dotted_name,
    own_nodes,
    parameter_names,
    terminal_name,
)

__all__ = [
    "FUNCTIONS",
    "Function",
    "Role",
    "Scope",
    "TestModule",
    "dotted_name",
    "own_nodes",
    "parameter_names",
    "source_of",
    "terminal_name",
]


T = TypeVar("T")


class Role(enum.Enum):
    """What a scope is for."""

    TEST = "test"
    FIXTURE = "fixture"
    SETUP = "setup"
    TEARDOWN = "teardown"
    HELPER = "helper"
    CLASS = "class"
    MODULE = "module"


_SETUPS = frozenset(
    (
        "asyncSetUp",
        "setUp",
        "setUpClass",
        "setUpModule",
        "setUpTestData",
        "setup",
        "setup_class",
        "setup_function",
        "setup_method",
        "setup_module",
    )
)
_TEARDOWNS = frozenset(
    (
        "asyncTearDown",
        "tearDown",
        "tearDownClass",
        "tearDownModule",
        "teardown",
        "teardown_class",
        "teardown_function",
        "teardown_method",
        "teardown_module",
    )
)


class TestModule:
    """One parsed file.

    Args:
        path: where it stands, relative to the rootdir, with ``/``.
        text: its source.
        conventions: how tests are recognised.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as `ast.parse` does.
    """

    __test__ = False  # pytest would like to collect a class of this name

    def __init__(self, path: str, text: str, conventions: Conventions = Conventions()) -> None:
        self.path = path
        self.text = text
        self.tree = ast.parse(text)
        self._conventions = conventions
        self._index = Index(self.tree)
        self._names = Names(self._index.root)
        self._roles: dict[Scope, Role] = {}
        self._lines: list[str] | None = None
        self._comments: dict[Scope, dict[int, str]] = {}
        self._nodes: dict[type, list[tuple[Any, Scope]]] = {}
        self._answers: dict[Callable[[TestModule], Any], Any] = {}

    def once(self, question: Callable[[TestModule], T]) -> T:
        """``question(self)``, worked out the first time and remembered."""
        if question not in self._answers:
            self._answers[question] = question(self)
        return self._answers[question]  # type: ignore[no-any-return]

    def close(self) -> None:
        """Undo the reference cycles, so that the tree goes now and not when the collector comes by."""
        for scope in self._index.scopes:
            scope.children.clear()

    # --- what is in it

    @property
    def root(self) -> Scope:
        """The scope of the module's own code."""
        return self._index.root

    @property
    def scopes(self) -> list[Scope]:
        """All scopes, outer ones before the ones they hold."""
        return self._index.scopes

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            # Only the line ends that Python itself counts: a form feed is not one.
            self._lines = self.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return self._lines

    def calls(self, *names: str) -> Iterator[tuple[ast.Call, Scope]]:
        """Every call whose function's last name is one of these (``sleep`` finds ``time.sleep(1)``)."""
        for name in names:
            yield from self._index.calls.get(name, ())

    def call_names(self) -> Iterator[str]:
        """The last names of all functions called here."""
        return iter(self._index.calls)

    def each(self, *types: type[NodeT]) -> Iterator[tuple[NodeT, Scope]]:
        """Every node of these types (of those the walk keeps) with its scope."""
        for cls in types:
            known = self._nodes.get(cls)
            if known is None:
                known = self._nodes[cls] = [
                    (node, scope) for scope in self.scopes if cls in scope.nodes for node in scope.nodes[cls]
                ]
            yield from known

    def functions(self, *roles: Role) -> Iterator[Scope]:
        """The functions with one of these roles; all functions without an argument."""
        for scope in self.scopes:
            if scope.is_function and (not roles or self.role(scope) in roles):
                yield scope

    def tests(self) -> Iterator[Scope]:
        """The test functions and methods."""
        return iter(self.once(_tests))

    # --- what a scope is

    def role(self, scope: Scope) -> Role:
        """What the scope is for: test, fixture, set-up, tear-down, helper, class or module."""
        role = self._roles.get(scope)
        if role is None:
            role = self._roles[scope] = self._find_role(scope)
        return role

    def _find_role(self, scope: Scope) -> Role:
        if isinstance(scope.node, ast.Module):
            return Role.MODULE
        if scope.is_class:
            return Role.CLASS
        if not scope.is_function or (
            scope.enclosing and not isinstance(scope.enclosing.node, (ast.Module, ast.ClassDef))
        ):
            return Role.HELPER
        if scope.node.decorator_list and self.fixture_decorator(scope) is not None:  # type: ignore[attr-defined]
            return Role.FIXTURE
        if scope.name in _SETUPS:
            return Role.SETUP
        if scope.name in _TEARDOWNS:
            return Role.TEARDOWN
        in_class = scope.owner_class is not None
        if self._conventions.names_test(scope.name) or (in_class and scope.name.startswith("test")):
            return Role.TEST
        return Role.HELPER

    def in_test(self, scope: Scope) -> bool:
        """Whether the scope is a test or stands inside one."""
        return self.role(scope.outermost) is Role.TEST

    def decorators(self, scope: Scope) -> Iterator[tuple[str, ast.expr]]:
        """The scope's decorators: full name where it resolves, else as written; and the node."""
        around = scope.enclosing or self.root
        for decorator in getattr(scope.node, "decorator_list", ()):
            function = decorator.func if isinstance(decorator, ast.Call) else decorator
            yield self.resolve(function, around) or dotted_name(function), decorator

    def fixture_decorator(self, scope: Scope) -> ast.expr | None:
        """The decorator that makes the scope a fixture (``pytest.fixture``, ``pytest_asyncio.fixture`` ...)."""
        for name, decorator in self.decorators(scope):
            if name.rpartition(".")[2] in ("fixture", "yield_fixture") and "subfixture" not in name:
                return decorator
        return None

    def fixture_scope(self, scope: Scope) -> str:
        """``function``, ``class``, ``module``, ``package`` or ``session``; ``dynamic`` for a callable."""
        return self._fixture_option(scope, "scope", "function")

    def is_autouse(self, scope: Scope) -> bool:
        """Whether the fixture says ``autouse=True``."""
        return self._fixture_option(scope, "autouse", "False") == "True"

    def _fixture_option(self, scope: Scope, name: str, default: str) -> str:
        decorator = self.fixture_decorator(scope)
        for keyword in decorator.keywords if isinstance(decorator, ast.Call) else ():
            if keyword.arg == name:
                return str(keyword.value.value) if isinstance(keyword.value, ast.Constant) else "dynamic"
        return default

    def fixture_name(self, scope: Scope) -> str:
        """The name by which tests ask for the fixture."""
        return self._fixture_option(scope, "name", scope.name)

    def base_names(self, scope: Scope) -> list[str]:
        """The base classes of a class scope, by full name where it resolves, else as written."""
        bases: list[ast.expr] = getattr(scope.node, "bases", [])
        return [self.resolve(base, scope.enclosing or self.root) or dotted_name(base) for base in bases]

    # --- names

    def resolve(self, expression: ast.AST, scope: Scope) -> str:
        """The full dotted name of a name or attribute (``time.sleep``), or an empty string."""
        return self._names.resolve(expression, scope)

    def binder(self, name: str, scope: Scope) -> Scope | None:
        """The scope that binds ``name`` as seen from ``scope``."""
        return self._names.binder(name, scope)

    def value(self, name: str, scope: Scope) -> ast.expr | None:
        """The expression that ``name`` is assigned, when it is assigned plainly and only once."""
        return self._names.value(name, scope)

    def imported_names(self) -> dict[str, str]:
        """Local name to full name, for the module-level imports."""
        return self._names.imports(self.root)

    def definition(self, expression: ast.AST, scope: Scope) -> Scope | None:
        """The function or class of this file that a name, ``self.name`` or ``Class.name`` stands for."""
        if isinstance(expression, ast.Attribute):
            return self._method(expression, scope)
        if not isinstance(expression, ast.Name):
            return None
        binder = self.binder(expression.id, scope)
        return _child(binder, expression.id) if binder is not None else None

    def lineage(self, cls: Scope | None) -> Iterator[Scope]:
        """A class and its base classes, as far as this file has them; nothing for None."""
        return self._bases_of(cls, 8) if cls is not None else iter(())

    def _bases_of(self, cls: Scope, depth: int) -> Iterator[Scope]:
        yield cls
        for base in getattr(cls.node, "bases", ()) if depth else ():
            parent = self.definition(base, cls.enclosing or self.root)
            if parent is not None and parent.is_class and parent is not cls:
                yield from self._bases_of(parent, depth - 1)

    def _method(self, expression: ast.Attribute, scope: Scope) -> Scope | None:
        if not isinstance(expression.value, ast.Name):
            return None
        receiver = expression.value.id
        if receiver in ("self", "cls"):
            owner = scope.owner_class
        else:
            owner = self.definition(expression.value, scope)
        return self._inherited(owner, expression.attr, 8) if owner is not None and owner.is_class else None

    def _inherited(self, cls: Scope, name: str, depth: int) -> Scope | None:
        found = _child(cls, name)
        if found is not None or not depth:
            return found
        for base in getattr(cls.node, "bases", ()):
            parent = self.definition(base, cls.enclosing or self.root)
            if parent is not None and parent.is_class and parent is not cls:
                found = self._inherited(parent, name, depth - 1)
                if found is not None:
                    return found
        return None

    # --- comments

    def comments(self, scope: Scope) -> dict[int, str]:
        """Line number to comment text within a function (or in the whole file, for the module)."""
        known = self._comments.get(scope)
        if known is None:
            first = 1 if scope is self.root else _first_line(scope.node)
            last = len(self.lines) if scope is self.root else (scope.node.end_lineno or first)  # type: ignore[attr-defined]
            known = self._comments[scope] = comments_between(self.lines, first, last)
        return known


def _tests(module: TestModule) -> tuple[Scope, ...]:
    return tuple(module.functions(Role.TEST))


def _first_line(node: ast.AST) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min((node.lineno, *(d.lineno for d in decorators)))  # type: ignore[attr-defined,no-any-return]


def _child(scope: Scope, name: str) -> Scope | None:
    return next((child for child in reversed(scope.children) if child.name == name), None)


def source_of(node: ast.AST, limit: int = 60) -> str:
    """The node as one line of source, shortened to ``limit`` characters."""
    try:
        text = " ".join(ast.unparse(node).split())
    except (RecursionError, ValueError):
        return "..."
    return text if len(text) <= limit else f"{text[: limit - 3].rstrip()}..."
