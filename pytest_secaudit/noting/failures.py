"""How a file deals with failures: those it requires, those it simulates, and its own ways to fail."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of, target_of
from pytest_secaudit.source import Scope, TestModule, source_of, terminal_name
from pytest_secaudit.source.mocks import replacements
from pytest_secaudit.source.oracles import expected_types, handler_types, is_failure, is_raises, tries


def failures(module: TestModule) -> Iterator[Note]:
    """Guards, required exceptions, simulated ones, handlers."""
    for node, _ in module.each(ast.Expr, ast.Assert):
        if is_failure(node):
            yield Note(2, "guard", lines_of(node), source_of(node, 70))
    for call, _ in _raises(module):
        yield Note(2, "required", lines_of(call), ", ".join(filter(None, expected_types(call))) or "an exception")
    for statement, _ in tries(module):
        for handler in statement.handlers:
            yield Note(2, "handler", lines_of(handler), ", ".join(handler_types(handler)))
    for place, scope, value, target in _side_effects(module):
        made = _made(module, scope, value)
        first, last = lines_of(place)
        for name in _exceptions(made):
            yield Note(2, "simulated", (min(first, made.lineno), last), name, subject=target)


def _raises(module: TestModule) -> Iterator[tuple[ast.Call, Scope]]:
    names = [name for name in module.call_names() if "aises" in name]
    for call, scope in module.calls(*names):
        if is_raises(module, scope, call):
            yield call, scope


def _side_effects(module: TestModule) -> Iterator[tuple[ast.AST, Scope, ast.expr, str]]:
    for replacement in replacements(module):
        if "side_effect" in replacement.options:
            yield (
                replacement.call,
                replacement.scope,
                replacement.options["side_effect"],
                target_of(module, replacement),
            )
    for node, scope in module.each(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr == "side_effect":
                yield node, scope, node.value, source_of(target.value, 40)


def _made(module: TestModule, scope: Scope, value: ast.expr) -> ast.expr:
    """What a local name holds: ``error = Unavailable(); patch(..., side_effect=error)``."""
    if isinstance(value, ast.Name) and module.binder(value.id, scope) is scope:
        return module.value(value.id, scope) or value
    return value


def _exceptions(value: ast.expr) -> Iterator[str]:
    """The names of exceptions in a ``side_effect``: a class, an instance, or some of a list."""
    parts = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
    for part in parts:
        function = part.func if isinstance(part, ast.Call) else part
        name = terminal_name(function)
        if name.endswith(("Error", "Exception", "Timeout", "NotFound", "Unavailable", "Interrupt", "Exit")):
            yield name
        elif isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            if function.value.id in ("exception", "exceptions", "exc") and name[:1].isupper():
                yield name
