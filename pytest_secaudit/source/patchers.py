"""Patches that are started by hand: ``patcher = mock.patch(...)``, ``patcher.start()`` and who ends them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.source.containers import is_put_right, writes, writes_within
from pytest_secaudit.source.module import Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name

_PATCHES = frozenset(f"unittest.mock.patch{form}" for form in ("", ".dict", ".multiple", ".object"))
#: The classes of ``unittest.mock`` that make a mock.
MOCK_CLASSES = frozenset(
    f"unittest.mock.{name}" for name in ("AsyncMock", "MagicMock", "Mock", "NonCallableMagicMock", "NonCallableMock")
)

_CLEANUPS = frozenset(
    "addAsyncCleanup addClassCleanup addCleanup addModuleCleanup add_cleanup addfinalizer callback".split()
)


@lean
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


def stopped_on_the_mock(module: TestModule, begun: Started) -> Iterator[ast.Call]:
    """The calls, or registrations, of ``stop`` of the mock that ``start`` returned; nothing if the patcher is stopped."""
    if begun.mock and _gives_a_mock(module, begun) and not is_stopped(module, begun) and _is_bound_once(module, begun):
        for scope in places_to_stop(module, begun.scope, begun.mock):
            yield from _stops(scope, begun.mock)


def _gives_a_mock(module: TestModule, begun: Started) -> bool:
    """``start`` returns a mock, and not something that was put in and may have a ``stop`` of its own."""
    options = {keyword.arg: keyword.value for keyword in begun.patch.keywords}
    written = module.resolve(begun.patch.func, begun.scope)
    if written.endswith((".dict", ".multiple")) or None in options:
        return False
    position = 2 if written.endswith(".object") else 1
    new = begun.patch.args[position] if len(begun.patch.args) > position else options.get("new")
    made_by = new.func if isinstance(new, ast.Call) else options.get("new_callable")
    if new is None and made_by is None:
        return True
    return made_by is not None and module.resolve(made_by, begun.scope) in MOCK_CLASSES


def _is_bound_once(module: TestModule, begun: Started) -> bool:
    stores = [
        node
        for scope in places_to_stop(module, begun.scope, begun.mock)
        for node in own_nodes(scope.node)
        if isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Store)
        and dotted_name(node) == begun.mock
    ]
    return len(stores) == 1


def _stops(scope: Scope, mock: str) -> Iterator[ast.Call]:
    for call in scope.calls:
        if dotted_name(call.func) == f"{mock}.stop" and not call.args:
            yield call
        elif isinstance(call.func, ast.Attribute) and call.func.attr in _CLEANUPS:
            if call.args and dotted_name(call.args[0]) == f"{mock}.stop":
                yield call


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


# --- the mock classes themselves


def is_mock_class(module: TestModule, expression: ast.expr, scope: Scope) -> bool:
    """Whether the expression is one of the classes of ``unittest.mock`` itself."""
    return isinstance(expression, (ast.Name, ast.Attribute)) and module.resolve(expression, scope) in MOCK_CLASSES


def set_on_mock_class(module: TestModule) -> tuple[tuple[ast.AST, ast.expr, str], ...]:
    """Where an attribute of a mock class is set and not put right: the node, the class, the attribute."""
    return module.once(_all_set_on_mock_class) if "Mock" in module.text else ()


def _all_set_on_mock_class(module: TestModule) -> tuple[tuple[ast.AST, ast.expr, str], ...]:
    return (*_assigned_on_mock_class(module), *_set_by_call(module))


def _assigned_on_mock_class(module: TestModule) -> Iterator[tuple[ast.AST, ast.expr, str]]:
    for write in writes(module):
        node = write.node
        if write.how != "attribute" or not isinstance(node, ast.Assign):
            continue
        if "Mock" not in (write.steps[-1] if write.steps else write.root) and len(node.targets) == 1:
            continue
        for target in node.targets:
            if isinstance(target, ast.Attribute) and is_mock_class(module, target.value, write.scope):
                if not is_put_right(module, write, writes_within(module, write.scope.outermost)):
                    yield node, target.value, target.attr


def _set_by_call(module: TestModule) -> Iterator[tuple[ast.AST, ast.expr, str]]:
    for call, scope in module.calls("setattr"):
        if isinstance(call.func, ast.Name) and len(call.args) > 2 and is_mock_class(module, call.args[0], scope):
            yield call, call.args[0], source_of(call.args[1], 40).strip("'")
