"""Replacements: every form in which a test puts something in the place of something else."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_secaudit.lean import lean
from pytest_secaudit.source.module import Scope, TestModule, dotted_name, own_nodes, source_of, terminal_name

#: The fixtures of pytest-mock, one per scope.
MOCKER_FIXTURES = frozenset(("mocker", "class_mocker", "module_mocker", "package_mocker", "session_mocker"))


@lean
@dataclass(frozen=True, slots=True)
class Replacement:
    """One call that replaces something.

    Attributes:
        call: the call itself.
        scope: where it stands.
        form: ``patch``, ``patch.object``, ``setattr``, ``stub_out``, ``MockPatch``, ``MonkeyPatch`` ...
        target: the replaced name as written: ``shop.orders.charge``; empty when it is not a literal.
        new: the replacement value, where it is given.
        options: the keyword arguments (``side_effect``, ``wraps``, ``autospec`` ...).
    """

    call: ast.Call
    scope: Scope
    form: str
    target: str
    new: ast.expr | None
    options: dict[str, ast.expr] = field(default_factory=dict)

    def stand_ins(self) -> list[ast.expr]:
        """The expressions that run instead of the original."""
        named = [self.options[name] for name in ("side_effect", "wraps", "new_callable") if name in self.options]
        return [self.new, *named] if self.new is not None else named


#: Last name of the call -> where the target ends among the positional arguments, for calls whose
#: target is one dotted string (1) or an object and an attribute name (2).
_STRING_TARGET = frozenset(("patch", "stub_out", "MockPatch"))
_OBJECT_TARGET = frozenset(("object", "MockPatchObject", "patch_object"))
_EITHER_TARGET = frozenset(("setattr", "MonkeyPatch"))
_FORMS = (*_STRING_TARGET, *_OBJECT_TARGET, *_EITHER_TARGET)


def replacements(module: TestModule) -> tuple[Replacement, ...]:
    """Every replacement in the file, decorators included (the scope is the one around the decorator)."""
    return module.once(_replacements)


def _replacements(module: TestModule) -> tuple[Replacement, ...]:
    return tuple(_found(module))


def _found(module: TestModule) -> Iterator[Replacement]:
    for call, scope in module.calls(*_FORMS):
        form = _form(module, call, scope)
        if form:
            yield _replacement(call, scope, form)


def replaced_attributes(module: TestModule, scope: Scope) -> Iterator[tuple[str, ast.expr]]:
    """``x.side_effect = f`` and ``x.wraps``-like assignments: the receiver as written, and the value."""
    for node in scope.of(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Attribute) and target.attr == "side_effect":
                yield source_of(target.value), node.value


def _form(module: TestModule, call: ast.Call, scope: Scope) -> str:
    function = call.func
    name = terminal_name(function)
    if name in ("patch", "object"):
        return _patch_form(module, call, scope)
    if name == "setattr":
        return "setattr" if isinstance(function, ast.Attribute) and _is_monkeypatch(function.value) else ""
    if name == "MonkeyPatch":
        # pytest.MonkeyPatch() takes no argument; the one of the fixtures library takes target and value.
        return "MonkeyPatch" if len(call.args) > 1 else ""
    return name


def _patch_form(module: TestModule, call: ast.Call, scope: Scope) -> str:
    full = module.resolve(call.func, scope)
    if full == "unittest.mock.patch":
        return "patch"
    if full == "unittest.mock.patch.object":
        return "patch.object"
    written = dotted_name(call.func)
    root, _, rest = written.partition(".")
    if root in MOCKER_FIXTURES and rest in ("patch", "patch.object"):
        return rest
    return ""


def _is_monkeypatch(receiver: ast.expr) -> bool:
    name = terminal_name(receiver).lower()
    return "monkeypatch" in name or name in ("mp", "m", "monkey", "patcher")


def _replacement(call: ast.Call, scope: Scope, form: str) -> Replacement:
    options = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    args = list(call.args)
    first = args[0] if args else options.get("target")
    if isinstance(first, (ast.Constant, ast.JoinedStr, ast.BinOp)):
        target = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
        new = args[1] if len(args) > 1 else options.get("new", options.get("value"))
        if form == "patch.object":
            target, new = "", None
    else:
        attribute = args[1] if len(args) > 1 else options.get("attribute", options.get("name"))
        attribute_name = attribute.value if isinstance(attribute, ast.Constant) else ""
        owner = dotted_name(first) if first is not None else ""
        target = f"{owner}.{attribute_name}" if owner and isinstance(attribute_name, str) else ""
        new = args[2] if len(args) > 2 else options.get("new", options.get("value"))
    return Replacement(call, scope, form, target, new, options)


def resolved_target(module: TestModule, replacement: Replacement) -> str:
    """The target with its first name resolved through the imports (``time.sleep`` for ``t.sleep``)."""
    root, _, rest = replacement.target.partition(".")
    first = replacement.call.args[0] if replacement.call.args else None
    if not rest or isinstance(first, ast.Constant):
        return replacement.target
    full = module.resolve(ast.Name(root, ast.Load()), replacement.scope)
    return f"{full}.{rest}" if full else replacement.target


def stand_in_function(module: TestModule, scope: Scope, value: ast.expr) -> Scope | None:
    """The function or lambda of this file that a stand-in expression is, lexically resolved."""
    if isinstance(value, ast.Lambda):
        return next((s for s in module.scopes if s.node is value), None)
    if isinstance(value, ast.Call) and terminal_name(value.func) in ("Mock", "MagicMock", "AsyncMock"):
        for keyword in value.keywords:
            if keyword.arg in ("side_effect", "wraps"):
                return stand_in_function(module, scope, keyword.value)
        return None
    found = module.definition(value, scope)
    return found if found is not None and found.is_function else None


def names_used_as_stand_in(module: TestModule) -> set[Scope]:
    """The functions of this file that run in the place of something else."""
    found: set[Scope] = set()
    for replacement in replacements(module):
        for value in replacement.stand_ins():
            function = stand_in_function(module, replacement.scope, value)
            if function is not None:
                found.add(function)
    for scope in module.scopes:
        for _, value in replaced_attributes(module, scope):
            function = stand_in_function(module, scope, value)
            if function is not None:
                found.add(function)
    return found


def is_called_here(scope: Scope, name: str) -> bool:
    """Whether a function of this name is called by name in the scope."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
        for child in scope.within()
        for node in own_nodes(child.node)
    )
