"""What a name stands for, as far as the file itself can tell: imports, shadowing, builtins."""

from __future__ import annotations

import ast
import builtins
from collections import Counter

from pytest_secaudit.source.syntax import Scope, dotted_name

_BUILTINS = frozenset(dir(builtins))

#: What people import from ``unittest.mock``, also by way of a ``compat`` module of their own.
_MOCK_NAMES = frozenset(
    (
        "ANY",
        "AsyncMock",
        "MagicMock",
        "Mock",
        "NonCallableMagicMock",
        "NonCallableMock",
        "PropertyMock",
        "call",
        "create_autospec",
        "mock_open",
        "patch",
        "sentinel",
    )
)


class Names:
    """Resolves the names of one module."""

    def __init__(self, root: Scope) -> None:
        self._root = root
        self._imports: dict[Scope, dict[str, str]] = {}
        self._values: dict[Scope, dict[str, ast.expr | None]] = {}

    @property
    def star_imports(self) -> list[str]:
        """The modules whose names are imported with ``*``."""
        return [node.module or "" for node in self._root.of(ast.ImportFrom) if node.names[0].name == "*"]

    def imports(self, scope: Scope) -> dict[str, str]:
        """Local name to full dotted name, for the imports that stand in this scope."""
        known = self._imports.get(scope)
        if known is None:
            known = self._imports[scope] = _imports(scope)
        return known

    def resolve(self, expression: ast.AST, scope: Scope) -> str:
        """The full dotted name, such as ``time.sleep``, or an empty string.

        A name that is bound to something else on the way out (a parameter, a local, a
        definition of this module) is not resolved: it may be anything.
        """
        written = dotted_name(expression)
        root, _, rest = written.partition(".")
        origin = self._origin(root, scope) if root else ""
        return f"{origin}.{rest}" if origin and rest else origin

    def binder(self, name: str, scope: Scope) -> Scope | None:
        """The scope that binds ``name`` as seen from ``scope``; None for builtins and unknown names."""
        current: Scope | None = scope
        while current is not None:
            if (current is scope or not current.is_class) and name in current.bound():
                return current
            current = current.enclosing
        return None

    def value(self, name: str, scope: Scope) -> ast.expr | None:
        """What ``name`` is assigned, if the scope that binds it assigns it exactly once and plainly."""
        binder = self.binder(name, scope)
        if binder is None:
            return None
        known = self._values.get(binder)
        if known is None:
            known = self._values[binder] = _plain_values(binder)
        return known.get(name)

    def _origin(self, name: str, scope: Scope) -> str:
        binder = self.binder(name, scope)
        if binder is not None:
            return self.imports(binder).get(name, "")
        return f"builtins.{name}" if name in _BUILTINS else ""


def _imports(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for plain in scope.of(ast.Import):
        for alias in plain.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            found[alias.asname or name] = _canonical("", name)
    for node in scope.of(ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            found[alias.asname or alias.name] = _canonical(module, alias.name)
    return found


def _canonical(module: str, name: str) -> str:
    last = module.rpartition(".")[2]
    if name == "mock" and module != "unittest":
        return "unittest.mock"  # the backport, six.moves, a compat module
    if name in _MOCK_NAMES and ("mock" in last or "compat" in last):
        return f"unittest.mock.{name}"
    if not module:
        return name
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


def _plain_values(scope: Scope) -> dict[str, ast.expr | None]:
    assigned = [pair for node in scope.of(ast.Assign) for target in node.targets for pair in _pairs(target, node.value)]
    assigned += [pair for node in scope.of(ast.AnnAssign) if node.value for pair in _pairs(node.target, node.value)]
    assigned += [(name, None) for node in scope.of(ast.AugAssign) for name, _ in _pairs(node.target, node.value)]
    times = Counter(name for name, _ in assigned)
    return {name: value if times[name] == 1 else None for name, value in assigned}


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[str, ast.expr | None]]:
    if isinstance(target, ast.Name):
        return [(target.id, value)]
    if isinstance(target, (ast.Tuple, ast.List)):
        return [(item.id, None) for item in target.elts if isinstance(item, ast.Name)]
    return []
