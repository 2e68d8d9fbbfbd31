"""Patches that are started by hand: ``patcher = mock.patch(...)``, ``patcher.start()`` and who ends them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.source.module import Scope, TestModule, dotted_name, terminal_name

_PATCHES = frozenset(f"unittest.mock.patch{form}" for form in ("", ".dict", ".multiple", ".object"))
#: The classes of ``unittest.mock`` that make a mock.
MOCK_CLASSES = frozenset(
    f"unittest.mock.{name}" for name in ("AsyncMock", "MagicMock", "Mock", "NonCallableMagicMock", "NonCallableMock")
)


@dataclass(frozen=True, slots=True)
class Started:
    """One ``start()`` of a patcher.

    Attributes:
        call: the call of ``start``.
        scope: where it stands.
        patch: the call that made the patcher.
        patcher: the patcher as it is written (``self.patcher``), or an empty string when nobody holds it.
        mock: the name that takes what ``start`` returns, or an empty string.
    """

    call: ast.Call
    scope: Scope
    patch: ast.Call
    patcher: str
    mock: str


def started(module: TestModule) -> tuple[Started, ...]:
    """Every patcher that is started by hand, where the file tells that it is one."""
    return module.once(_started)


def _started(module: TestModule) -> tuple[Started, ...]:
    return tuple(_find(module))


def _find(module: TestModule) -> Iterator[Started]:
    for call, scope in module.calls("start"):
        if isinstance(call.func, ast.Attribute) and not call.args and not call.keywords:
            receiver = call.func.value
            patch = _patch_of(module, scope, receiver)
            if patch is not None:
                yield Started(call, scope, patch, dotted_name(receiver), _taken_by(scope, call))


def _patch_of(module: TestModule, scope: Scope, receiver: ast.expr) -> ast.Call | None:
    if isinstance(receiver, ast.Call):
        return receiver if is_patch(module, scope, receiver) else None
    if isinstance(receiver, ast.Name):
        binder = module.binder(receiver.id, scope)
        value = _bound_before(binder, receiver) if binder is not None else None
    else:
        value, binder = attribute_value(module, scope, receiver), scope
    if isinstance(value, ast.Call) and binder is not None and is_patch(module, binder, value):
        return value
    return None


def _bound_before(binder: Scope, name: ast.Name) -> ast.expr | None:
    """What the name was last assigned above; one name often serves for several patchers, one after the other."""
    found = [
        node
        for node in binder.of(ast.Assign)
        if any(isinstance(target, ast.Name) and target.id == name.id for target in node.targets)
    ]
    above = [node for node in found if node.lineno < name.lineno] or found
    return max(above, key=lambda node: node.lineno).value if above else None


def is_patch(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    """Whether the call makes a patcher of ``unittest.mock``."""
    return module.resolve(call.func, scope) in _PATCHES


def _taken_by(scope: Scope, call: ast.Call) -> str:
    for node in scope.of(ast.Assign):
        if node.value is call and len(node.targets) == 1:
            return dotted_name(node.targets[0])
    return ""


def attribute_value(module: TestModule, scope: Scope, attribute: ast.expr) -> ast.expr | None:
    """What ``self.x`` is assigned, if the class (with its bases of this file) assigns it exactly once."""
    written = dotted_name(attribute)
    found = [
        node.value
        for holder in class_scopes(module, scope)
        for node in holder.of(ast.Assign)
        if any(dotted_name(target) == written for target in node.targets)
    ]
    return found[0] if written and len(found) == 1 else None


def class_scopes(module: TestModule, scope: Scope) -> Iterator[Scope]:
    """All functions of the class around a scope and of its bases in this file."""
    owner = scope.outermost.owner_class
    for cls in module.lineage(owner):
        yield from cls.within()


def places_to_stop(module: TestModule, scope: Scope, name: str) -> Iterator[Scope]:
    """Where a patcher or mock of this name can be stopped: the class for ``self.x``, else where the name is known."""
    if "." in name:
        yield from class_scopes(module, scope)
        return
    binder = module.binder(name, scope)
    if binder is not None:
        yield from binder.within()


def is_stopped(module: TestModule, begun: Started) -> bool:
    """Whether the patcher's own ``stop`` is called, or the patcher handed to somebody, where it is known."""
    if not begun.patcher:
        return False
    for scope in places_to_stop(module, begun.scope, begun.patcher):
        kept: list[ast.Assign | ast.Return | ast.Yield] = [
            *scope.of(ast.Assign),
            *scope.of(ast.Return),
            *scope.of(ast.Yield),
        ]
        if any(node.value is not None and dotted_name(node.value) == begun.patcher for node in kept):
            return True
        for call in scope.calls:
            if terminal_name(call.func) == "stop" and dotted_name(call.func) == f"{begun.patcher}.stop":
                return True
            if any(dotted_name(a) in (begun.patcher, f"{begun.patcher}.stop") for a in _handed(call)):
                return True
    return False


def _handed(call: ast.Call) -> Iterator[ast.expr]:
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        yield from argument.elts if isinstance(argument, (ast.List, ast.Tuple)) else (argument,)


def all_stopped_around(module: TestModule, scope: Scope) -> bool:
    """Whether ``mock.patch.stopall`` is called or registered for the function, its class or its module."""
    near = {*class_scopes(module, scope), *scope.outermost.within()}
    for call, where in _calls_of_stopall(module):
        del call
        if where in near or where is module.root or where.outermost.owner_class is None:
            return True
    return False


def _calls_of_stopall(module: TestModule) -> Iterator[tuple[ast.Call, Scope]]:
    if "stopall" in module.text:
        yield from module.calls("stopall")
        for call, scope in module.calls("addCleanup", "addClassCleanup", "addfinalizer", "callback", "addAsyncCleanup"):
            if any(terminal_name(argument) == "stopall" for argument in call.args):
                yield call, scope
