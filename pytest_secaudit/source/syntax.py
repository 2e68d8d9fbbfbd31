"""One walk over a module's syntax tree, and what it keeps.

The walk is the only part that touches every node, so it is written for speed: an explicit
stack (deep code cannot exhaust Python's), a table of the fields worth entering per node
type, leaves never pushed. It sorts nodes into scopes; everything else is asked of them later,
and only where a rule has a candidate.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, TypeVar

Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: ``try``/``except*`` is a node of its own from Python 3.11 on.
TRIES: tuple[type[ast.AST], ...] = (ast.Try, *((ast.TryStar,) if hasattr(ast, "TryStar") else ()))
#: ``type X = int`` is a node of its own from Python 3.12 on.
_TYPE_ALIASES: tuple[type[ast.AST], ...] = (ast.TypeAlias,) if hasattr(ast, "TypeAlias") else ()
WITHS = (ast.With, ast.AsyncWith)
LOOPS = (ast.For, ast.AsyncFor, ast.While)

_SCOPES = (*FUNCTIONS, ast.Lambda, ast.ClassDef)

#: Fields that hold no code of interest: types, operators, plain names.
_SKIPPED_FIELDS = frozenset(
    ("annotation", "ctx", "names", "op", "ops", "returns", "type_comment", "type_ignores", "type_params", "name")
)
_LEAVES: frozenset[type] = frozenset(
    cls
    for cls in vars(ast).values()
    if isinstance(cls, type)
    and issubclass(cls, (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.alias))
) | {ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, str, int, bool, type(None)}


def _fields_worth_entering() -> dict[type, tuple[str, ...]]:
    # An explicit check of the class keeps node types of newer Pythons (TemplateStr) included.
    classes = [cls for cls in vars(ast).values() if isinstance(cls, type) and issubclass(cls, ast.AST)]
    return {
        # Reversed, because a stack hands back the last pushed field first.
        cls: tuple(name for name in reversed(cls._fields) if name not in _SKIPPED_FIELDS)
        for cls in classes
        if cls not in _LEAVES
    }


_FIELDS = _fields_worth_entering()

_KEPT: frozenset[type] = frozenset(
    (
        *TRIES,
        *WITHS,
        *LOOPS,
        ast.AnnAssign,
        ast.Assert,
        ast.Assign,
        ast.AsyncFunctionDef,
        ast.AugAssign,
        ast.Await,
        ast.ClassDef,
        ast.Delete,
        ast.Expr,
        ast.FunctionDef,
        ast.Global,
        ast.If,
        ast.Import,
        ast.ImportFrom,
        ast.Lambda,
        ast.MatchAs,
        ast.MatchStar,
        ast.NamedExpr,
        ast.Nonlocal,
        ast.Raise,
        ast.Return,
        ast.Yield,
        ast.YieldFrom,
        ast.comprehension,
        *_TYPE_ALIASES,
    )
)

NodeT = TypeVar("NodeT", bound=ast.AST)


class Scope:
    """A module, class, function or lambda, with the nodes that stand in it directly.

    What stands in a nested function or class belongs to that one's own scope.
    """

    __slots__ = (
        "_bound",
        "_parents",
        "calls",
        "children",
        "enclosing",
        "is_class",
        "is_function",
        "name",
        "node",
        "nodes",
        "qualname",
    )

    def __init__(self, node: ast.AST, enclosing: Scope | None, name: str) -> None:
        self.node = node
        self.is_class = isinstance(node, ast.ClassDef)
        self.is_function = isinstance(node, FUNCTIONS)
        self.enclosing = enclosing
        self.name = name
        outer: str = enclosing.qualname if enclosing else ""
        self.qualname: str = f"{outer}.{name}" if outer else name
        self.nodes: dict[type, list[Any]] = defaultdict(list)
        self.calls: list[ast.Call] = []
        self.children: list[Scope] = []
        self._parents: dict[ast.AST, ast.AST] | None = None
        self._bound: frozenset[str] | None = None

    def of(self, *types: type[NodeT]) -> list[NodeT]:
        """The kept nodes of these types, in source order for a single type."""
        if len(types) == 1:
            return self.nodes.get(types[0], [])
        return [node for cls in types if cls in self.nodes for node in self.nodes[cls]]

    @property
    def owner_class(self) -> Scope | None:
        """The class whose method this is, or in whose method this function is nested."""
        scope = self.enclosing
        while scope is not None and not scope.is_class:
            scope = scope.enclosing
        return scope

    @property
    def is_importable(self) -> bool:
        """Whether only classes stand around it: what a function makes is the material of a test, and no test."""
        scope = self.enclosing
        while scope is not None and scope.is_class:
            scope = scope.enclosing
        return scope is None or isinstance(scope.node, ast.Module)

    @property
    def outermost(self) -> Scope:
        """The outermost function around this scope (itself, if it is not nested)."""
        scope = self
        while scope.enclosing is not None and not isinstance(scope.enclosing.node, (ast.Module, ast.ClassDef)):
            scope = scope.enclosing
        return scope

    @property
    def body(self) -> list[ast.stmt]:
        """The statements, without a docstring; empty for a lambda."""
        body: list[ast.stmt] | ast.expr = self.node.body  # type: ignore[attr-defined]
        if not isinstance(body, list):
            return []
        first = body[0] if body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            return body[1:]
        return body

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node around ``node``, within this scope."""
        if self._parents is None:
            self._parents = _parents_in(self.node)
        return self._parents.get(node)

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around ``node``, innermost first, up to and without the scope's own node."""
        current = self.parent(node)
        while current is not None and current is not self.node:
            yield current
            current = self.parent(current)

    def bound(self) -> frozenset[str]:
        """The names that this scope binds: parameters, assignments, imports, definitions."""
        if self._bound is None:
            self._bound = frozenset(_bound_names(self))
        return self._bound

    def within(self) -> Iterator[Scope]:
        """This scope and all nested ones."""
        yield self
        for child in self.children:
            yield from child.within()


def terminal_name(expression: ast.expr) -> str:
    """``c`` of ``a.b.c``, ``f`` of ``f``, else an empty string."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def dotted_name(expression: ast.AST) -> str:
    """``a.b.c`` as it is written, or an empty string for anything but names and attributes."""
    parts: list[str] = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    if not isinstance(expression, ast.Name):
        return ""
    parts.append(expression.id)
    return ".".join(reversed(parts))


def own_nodes(root: ast.AST) -> Iterator[ast.AST]:
    """Every node of a scope or statement, the root first, without the bodies of nested definitions.

    For a scope's own node these are the nodes that run when its body runs: its decorators and
    defaults are left to the scope around it.
    """
    yield root
    inner: Any = getattr(root, "body", [])
    stack: list[ast.AST] = [*reversed(inner if isinstance(inner, list) else [inner])]
    if not isinstance(root, (*_SCOPES, ast.Module)):
        stack = list(ast.iter_child_nodes(root))[::-1]
    while stack:
        node = stack.pop()
        yield node
        parts = outside_parts(node) if isinstance(node, _SCOPES) else list(ast.iter_child_nodes(node))
        stack.extend(reversed(parts))


def _parents_in(root: ast.AST) -> dict[ast.AST, ast.AST]:
    """Each node of a scope with the node around it."""
    inner: Any = getattr(root, "body", [])
    stack: list[ast.AST] = list(inner) if isinstance(inner, list) else [inner]
    parents: dict[ast.AST, ast.AST] = dict.fromkeys(stack, root)
    while stack:
        node = stack.pop()
        if isinstance(node, _SCOPES):
            for part in outside_parts(node):
                parents[part] = node
                stack.append(part)
            continue
        for name in node._fields:
            child = getattr(node, name, None)
            if isinstance(child, list):
                for item in child:
                    if isinstance(item, ast.AST):
                        parents[item] = node
                        stack.append(item)
            elif isinstance(child, ast.AST):
                parents[child] = node
                if child.__class__ not in _LEAVES:
                    stack.append(child)
    return parents


def outside_parts(node: ast.AST) -> list[ast.AST]:
    """What of a definition is evaluated where it stands: decorators, defaults, base classes."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    arguments: ast.arguments = node.args  # type: ignore[attr-defined]
    return [*decorators, *arguments.defaults, *(default for default in arguments.kw_defaults if default)]


def parameter_names(function: ast.AST) -> list[str]:
    """The names of all parameters of a function or lambda."""
    arguments: ast.arguments = function.args  # type: ignore[attr-defined]
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    return [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred)]


def _bound_names(scope: Scope) -> set[str]:
    """From the statements and expressions that bind names, all of which the walk has kept."""
    of: Any = scope.of
    targets: list[Any] = [target for node in of(ast.Assign, ast.Delete) for target in node.targets]
    targets += [
        node.target
        for node in of(ast.For, ast.AsyncFor, ast.AnnAssign, ast.AugAssign, ast.NamedExpr, ast.comprehension)
    ]
    targets += [item.optional_vars for node in of(ast.With, ast.AsyncWith) for item in node.items]
    targets += [node.name for node in of(*_TYPE_ALIASES)]
    names = set(_target_names(targets))
    names.update(node.name for node in of(*FUNCTIONS, ast.ClassDef))
    names.update(
        (alias.asname or alias.name).partition(".")[0]
        for node in of(ast.Import, ast.ImportFrom)
        for alias in node.names
    )
    names.update(handler.name for node in of(*TRIES) for handler in node.handlers if handler.name)
    names.update(node.name for node in of(ast.MatchAs, ast.MatchStar) if node.name)
    if isinstance(scope.node, (*FUNCTIONS, ast.Lambda)):
        names.update(parameter_names(scope.node))
    return names.difference(*(node.names for node in of(ast.Global, ast.Nonlocal)))


def _target_names(targets: list[Any]) -> Iterator[str]:
    while targets:
        target = targets.pop()
        cls = target.__class__
        if cls is ast.Name:
            yield target.id
        elif cls is ast.Tuple or cls is ast.List:
            targets += target.elts
        elif cls is ast.Starred:
            targets.append(target.value)


class Index:
    """All scopes of a module, and its calls by the last part of their name."""

    def __init__(self, tree: ast.Module) -> None:
        self.root = Scope(tree, None, "")
        self.scopes: list[Scope] = [self.root]
        self.calls: dict[str, list[tuple[ast.Call, Scope]]] = defaultdict(list)
        for scope in self.scopes:  # grows while it is walked
            self._walk(scope)

    def _walk(self, scope: Scope) -> None:  # noqa: PLR0912 - the hot loop: a call per node would double its cost
        node: Any = scope.node
        body = node.body
        stack: list[Any] = body[::-1] if isinstance(body, list) else [body]
        pop, push = stack.pop, stack.append
        nodes, own_calls, all_calls = scope.nodes, scope.calls, self.calls
        fields, leaves, kept = _FIELDS, _LEAVES, _KEPT
        attribute, call_type = ast.Attribute, ast.Call
        while stack:
            node = pop()
            cls = node.__class__
            if cls is call_type:
                own_calls.append(node)
                for keyword in node.keywords[::-1]:
                    child = keyword.value
                    if child.__class__ not in leaves:
                        push(child)
                for child in node.args[::-1]:
                    if child.__class__ not in leaves:
                        push(child)
                child = node.func
                kind = child.__class__
                if kind is attribute:
                    all_calls[child.attr].append((node, scope))
                    while kind is attribute:
                        child = child.value
                        kind = child.__class__
                elif kind is ast.Name:
                    all_calls[child.id].append((node, scope))
                if kind not in leaves:
                    push(child)
                continue
            if cls in leaves:
                continue
            if cls in kept:
                nodes[cls].append(node)
                if cls in _SCOPES:
                    self._open(node, scope)
                    stack.extend(outside_parts(node)[::-1])
                    continue
            for name in fields[cls]:
                child = getattr(node, name)
                kind = child.__class__
                if kind is list:
                    stack += child[::-1]
                    continue
                while kind is attribute:
                    child = child.value
                    kind = child.__class__
                if kind not in leaves:
                    push(child)

    def _open(self, node: Any, enclosing: Scope) -> None:
        scope = Scope(node, enclosing, getattr(node, "name", "<lambda>"))
        enclosing.children.append(scope)
        self.scopes.append(scope)
