"""The changes that tests, set-ups and fixtures leave behind: what the rules about restoring have in common."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Question
from pytest_secaudit.source.changes import Change, changes
from pytest_secaudit.source.module import Role, Scope, TestModule, dotted_name, source_of, terminal_name
from pytest_secaudit.source.restores import (
    Undone,
    is_reset,
    question,
    question_of_setup,
    set_anew,
    straight_restore,
    undone,
)
from pytest_secaudit.source.syntax import TRIES, WITHS

_OWNERS = frozenset((Role.TEST, Role.SETUP, Role.FIXTURE))
_WIDE = frozenset(("session", "package"))


@lean
@dataclass(frozen=True, slots=True)
class Left:
    """A change that is not undone on every path.

    Attributes:
        undone: only in a straight line, or never.
        restored: the write that puts it back in a straight line.
        weak: too weak to report. The change sets the place to nothing (None, an empty container) and no other
            value comes back, or a set-up of the class writes it anew before each test.
    """

    change: Change
    undone: Undone
    restored: Change | None
    weak: bool

    def unless(self, module: TestModule) -> tuple[Question, ...]:
        """What live objects may know better: another file restores it, or the name is bound to a stand-in by now."""
        asked = [question(module, self.change)]
        if module.role(self.change.scope.outermost) is Role.TEST:
            asked.append(question_of_setup(module, self.change))
        root = _root(self.change.node)
        if root and module.binder(root, self.change.scope) is module.root:
            asked.append(Question("rebound", (root, module.imported_names().get(root, ""))))
        return tuple(asked)

    @property
    def message(self) -> str:
        """What becomes of the place."""
        name = self.change.place.name
        if self.restored is None:
            return f"{name} is changed and nothing here puts it back"
        return f"{name} stays changed if something fails before line {self.restored.line} puts it back"


def left(module: TestModule, *areas: str) -> Iterator[Left]:
    """The first change of each place and outermost function that is not undone on every path."""
    seen: dict[tuple[Scope, str], Left] = {}
    candidates = [change for change in changes(module) if change.place.area in areas]
    for change in sorted(candidates, key=lambda change: change.line):
        key = (change.scope.outermost, change.place.name)
        known = seen.get(key)
        is_restore = known is not None and known.restored is change
        if (known is None or known.weak) and not is_restore and _counts(module, change):
            found = _left(module, change)
            if found is not None and (known is None or not found.weak):
                seen[key] = found
    yield from seen.values()


def _left(module: TestModule, change: Change) -> Left | None:
    how = undone(module, change)
    if how is Undone.ALWAYS:
        return None
    restored = straight_restore(module, change)
    comes_back = restored is not None and not is_reset(module, restored)
    weak = (is_reset(module, change) and not comes_back) or set_anew(module, change)
    return Left(change, how, restored, weak)


def by_patching(module: TestModule, change: Change) -> str:
    """The same write of an attribute by a patch, in the words of the user; empty for any other write.

    With ``monkeypatch``, but in a `unittest.TestCase`: its methods get no fixtures.
    """
    patch = "mock.patch.object" if gets_no_fixtures(module, change.scope.outermost) else "monkeypatch.setattr"
    target = _target(module, change)
    if target is not None:
        return f"{patch}({source_of(target.value)}, {target.attr!r}, ...)"
    call = change.node
    if isinstance(call, ast.Call) and terminal_name(call.func) == "setattr" and len(call.args) > 1:
        return f"{patch}({source_of(call.args[0])}, {source_of(call.args[1], 40)}, ...)"
    return ""


def gets_no_fixtures(module: TestModule, outer: Scope) -> bool:
    """Whether it is in a `unittest.TestCase`, as far as the file says."""
    return any("TestCase" in base for cls in module.lineage(outer.owner_class) for base in module.base_names(cls))


def place_of(module: TestModule, change: Change) -> ast.AST:
    """Where to point: the statement, or the one of its several targets that is meant."""
    several = len(list(_targets(change.node))) > 1
    return (_target(module, change) if several else None) or change.node


def _target(module: TestModule, change: Change) -> ast.Attribute | None:
    for target in _targets(change.node):
        if isinstance(target, ast.Attribute) and module.resolve(target, change.scope) == change.place.name:
            return target
    return None


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to, the parts of a tuple one by one."""
    written = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    for target in written:
        if isinstance(target, (ast.Tuple, ast.List)):
            yield from target.elts
        elif target is not None:
            yield target


# --- which changes are meant


def _counts(module: TestModule, change: Change) -> bool:
    """Made by a test, a set-up or a narrow fixture, in this process, and really made."""
    outer = change.scope.outermost
    return (
        module.role(outer) in _OWNERS
        and not _is_configuration(module, outer)
        and _runs_with(change.scope, outer)
        and not _in_other_process(change.scope)
        and not _only_tried(change)
    )


def _is_configuration(module: TestModule, outer: Scope) -> bool:
    """For the whole run, or for every test below a conftest: meant to stay."""
    if module.role(outer) is not Role.FIXTURE:
        return False
    in_conftest = module.path.endswith("conftest.py")
    return module.fixture_scope(outer) in _WIDE or (in_conftest and module.is_autouse(outer))


def _runs_with(scope: Scope, outer: Scope) -> bool:
    """A nested function counts where the function around it calls it by name; a lambda, never."""
    while scope is not outer:
        around = scope.enclosing
        if around is None or not scope.is_function or around.is_class:
            return False
        if not any(isinstance(call.func, ast.Name) and call.func.id == scope.name for call in around.calls):
            return False
        scope = around
    return True


def _in_other_process(scope: Scope) -> bool:
    """The function forks: what it writes may be the child's."""
    return any(terminal_name(call.func) in ("fork", "forkpty", "_exit") for call in scope.outermost.calls)


_EXPECTS_ERROR = re.compile(r"raises|catch_warnings_error", re.IGNORECASE)


def _only_tried(change: Change) -> bool:
    """In a block that expects an error: the write itself is what must not work."""
    for node in change.scope.ancestors(change.node):
        if isinstance(node, WITHS) and len(node.body) == 1:
            if any(_EXPECTS_ERROR.search(_name(item.context_expr)) for item in node.items):
                return True
        if isinstance(node, TRIES) and node.body == [change.node] and node.handlers:  # type: ignore[attr-defined]
            return True
    return False


def _name(context: ast.expr) -> str:
    return terminal_name(context.func if isinstance(context, ast.Call) else context)


def _root(node: ast.AST) -> str:
    """The name that the written expression begins with."""
    if isinstance(node, ast.Call):
        written: ast.AST = (
            node.args[0] if terminal_name(node.func) in ("setattr", "delattr") and node.args else node.func
        )
    elif isinstance(node, (ast.Assign, ast.Delete)):
        written = node.targets[0]
    else:
        written = getattr(node, "target", node)
    while isinstance(written, (ast.Attribute, ast.Subscript)):
        written = written.value
    return dotted_name(written)


_STAND_IN = re.compile(
    r"(?<![a-zA-Z])([Ff]ake|[Ss]tub|[Mm]ock|[Dd]ummy|[Ss]py|sentinel)|[Mm]ock$|(?<=[a-z])(Fake|Stub|Mock|Dummy|Spy)"
    r"|^(ModuleType|SimpleNamespace|new_module)$"
)


def stands_in(module: TestModule, scope: Scope, value: ast.expr) -> bool:
    """Whether a value is a mock, a lambda, a function or class of this file, or something that is named fake or stub."""
    if isinstance(value, ast.Lambda):
        return True
    if isinstance(value, ast.Dict):
        return any(stands_in(module, scope, item) for item in value.values)
    if isinstance(value, ast.Call):
        return stands_in(module, scope, value.func)
    if module.resolve(value, scope).startswith("unittest.mock.") or _STAND_IN.search(terminal_name(value)):
        return True
    if module.definition(value, scope) is not None:
        return True
    known = module.value(value.id, scope) if isinstance(value, ast.Name) else None
    return isinstance(known, (ast.Call, ast.Dict, ast.Lambda)) and stands_in(module, scope, known)
