"""What a file replaces, how each replacement ends, and what stands in its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from pytest_secaudit.lexicon import security_word
from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of, target_of
from pytest_secaudit.source import Scope, TestModule, dotted_name, terminal_name
from pytest_secaudit.source.mocks import Replacement, replacements, stand_in_function
from pytest_secaudit.source.patchers import is_stopped, started
from pytest_secaudit.source.sleeping import sleeps
from pytest_secaudit.source.syntax import WITHS

_BY_FIXTURE = frozenset(("MockPatch", "MockPatchObject", "MonkeyPatch"))


def patches(module: TestModule) -> Iterator[Note]:
    """One note for each replacement, and one more where it delays or hides what it stands for."""
    decorators = {node: scope for scope in module.scopes for _, node in module.decorators(scope)}
    for replacement in replacements(module):
        target = target_of(module, replacement)
        ends = _end(module, replacement, decorators)
        marks = ("security",) if security_word(target) else ()
        yield Note(5, "patch", lines_of(replacement.call), target, subject=target, ends=ends, marks=marks)
        yield from _critical(module, replacement, target)


def _end(module: TestModule, replacement: Replacement, decorators: dict[ast.expr, Scope]) -> str:
    call = replacement.call
    if call in decorators:
        return "decorator"
    around = list(replacement.scope.ancestors(call))
    if any(isinstance(node, WITHS) for node in around):
        return "with"
    if replacement.form in _BY_FIXTURE:
        return "useFixture" if any(_is_use(node) for node in around) else ""
    if replacement.form == "setattr":
        return "monkeypatch"
    if replacement.form == "stub_out":
        return "the base class"
    if dotted_name(call.func).partition(".")[0].endswith("mocker"):
        return "mocker"
    for begun in started(module):
        if begun.patch is call:
            return _stopped_at(module, begun.scope, begun.patcher) if is_stopped(module, begun) else ""
    return ""


def _is_use(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and terminal_name(node.func) in ("useFixture", "use_fixture", "enter_context")


def _stopped_at(module: TestModule, scope: Scope, patcher: str) -> str:
    """Which call ends it, with its line: ``addCleanup at 189``."""
    for call, where in module.calls("addCleanup", "addClassCleanup", "addfinalizer", "callback", "push"):
        if where.outermost is scope.outermost and any(
            dotted_name(argument) == f"{patcher}.stop" for argument in call.args
        ):
            return f"{terminal_name(call.func)} at {call.lineno}"
    return "stop"


def _critical(module: TestModule, replacement: Replacement, target: str) -> Iterator[Note]:
    for value in replacement.stand_ins():
        function = stand_in_function(module, replacement.scope, value)
        if function is not None:
            marks = [f"calls the original at {line}" for line in _calls_of_the_original(module, function, target)]
            waits = [sleep for sleep in sleeps(module) if sleep.scope is function]
            for sleep in waits:
                text = f"{target} waits for {sleep.length} in {function.name}()"
                yield Note(
                    8, "delay", lines_of(replacement.call), text, subject=str(sleep.call.lineno), marks=tuple(marks)
                )
            if not waits and marks:
                text = f"{target} is watched by {function.name}()"
                yield Note(8, "spy", lines_of(replacement.call), text, subject=target, marks=tuple(marks))


def _calls_of_the_original(module: TestModule, function: Scope, target: str) -> Iterator[int]:
    """Calls, in the stand-in, of a name that holds what was replaced: ``orig = Instance.drop; ... orig(...)``."""
    last = target.rpartition(".")[2]
    for call in function.calls:
        name = call.func
        if isinstance(name, ast.Name) and function.enclosing is not None:
            binder = module.binder(name.id, function)
            value = module.value(name.id, binder) if binder is not None else None
            if isinstance(value, ast.Attribute) and value.attr == last:
                yield call.lineno
