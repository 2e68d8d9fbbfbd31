"""The settings that a file sets: of the application, of its policy, of the environment."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of
from pytest_secaudit.source import Role, Scope, TestModule, dotted_name, source_of, terminal_name

#: Calls that set options by keyword: how they are undone.
_BY_KEYWORD = {
    "flags": "the configuration fixture of the base class",
    "modify_settings": "with or decorator",
    "override_settings": "with or decorator",
    "set_overrides": "",
    "config": "",
}
#: Calls that set one option, named by their first argument.
_BY_NAME = {
    "delenv": "monkeypatch",
    "set_default": "",
    "set_override": "",
    "setenv": "monkeypatch",
}
_RULES = ("set_rules", "set_rule", "add_policies", "dependency_overrides")
_NO_OPTIONS = frozenset(("autospec", "group", "raising"))


def settings(module: TestModule) -> Iterator[Note]:
    """Every option that is set, and by what."""
    for name, ends in _BY_KEYWORD.items():
        for call, scope in module.calls(name):
            if name != "config" or "config" in dotted_name(call.func).lower().rpartition(".")[0]:
                yield from _by_keyword(module, scope, call, ends)
    for name, ends in _BY_NAME.items():
        for call, scope in module.calls(name):
            if call.args and isinstance(call.args[0], ast.Constant):
                yield _note(module, scope, call, str(call.args[0].value), ends)
    for call, scope in module.calls(*_RULES):
        keys = call.args[0].keys if call.args and isinstance(call.args[0], ast.Dict) else []
        for key in keys or [call.func]:
            if key is not None:
                yield _note(module, scope, call, _option(key), "", is_security=True)


def _by_keyword(module: TestModule, scope: Scope, call: ast.Call, ends: str) -> Iterator[Note]:
    for keyword in call.keywords:
        if keyword.arg and keyword.arg not in _NO_OPTIONS:
            yield _note(module, scope, call, keyword.arg, ends)


def _option(key: ast.expr) -> str:
    if isinstance(key, ast.Constant):
        return str(key.value)
    return dotted_name(key).rpartition(".")[2] or source_of(key, 40)


def _note(
    module: TestModule, scope: Scope, call: ast.Call, option: str, ends: str, *, is_security: bool = False
) -> Note:
    marks = ["security"] if is_security or security_word(option) else []
    if _is_before_the_base(module, scope, call):
        marks.append("before super().setUp()")
    return Note(4, "setting", lines_of(call), option, subject=dotted_name(call.func), ends=ends, marks=tuple(marks))


def _is_before_the_base(module: TestModule, scope: Scope, call: ast.Call) -> bool:
    """Whether it stands in a ``setUp`` above the call of the base's: what the base sets up has not begun yet."""
    if module.role(scope) is not Role.SETUP:
        return False
    bases = [
        inner.lineno
        for inner in scope.calls
        if isinstance(inner.func, ast.Attribute)
        and inner.func.attr == scope.name
        and isinstance(inner.func.value, ast.Call)
        and terminal_name(inner.func.value.func) == "super"
    ]
    return bool(bases) and call.lineno < min(bases)
