"""Sleep calls in test code: which they are, how long they take, and whether they can elapse."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.source.module import Role, Scope, TestModule, parameter_names, source_of

_SLEEPS = frozenset(
    (
        "anyio.sleep",
        "asyncio.sleep",
        "eventlet.greenthread.sleep",
        "eventlet.sleep",
        "gevent.sleep",
        "time.sleep",
        "trio.sleep",
    )
)
#: Below this many seconds a sleep only yields to others.
_YIELDING = 0.001
#: Nobody waits that long, in seconds: whoever sleeps for it is stopped by somebody else.
_FOREVER = 60


@lean
@dataclass(frozen=True, slots=True)
class Sleep:
    """One sleep call. ``seconds`` is None where the file does not tell."""

    call: ast.Call
    scope: Scope
    function: str
    seconds: float | None
    parametrised: bool

    @property
    def is_forever(self) -> bool:
        """Whether it can only end by being interrupted."""
        return self.seconds is not None and self.seconds >= _FOREVER

    @property
    def is_cancelled(self) -> bool:
        """Whether it stands for "blocks until it is cancelled": the code around it waits for just that."""
        handlers: list[ast.ExceptHandler] = [
            handler for node in self.scope.ancestors(self.call) for handler in getattr(node, "handlers", ())
        ]
        return any(handler.type is not None and "Cancel" in ast.dump(handler.type) for handler in handlers)

    @property
    def is_throttle(self) -> bool:
        """Whether a ``raise`` follows directly: a fake that does not spin, and not a wait for something."""
        return isinstance(_next_statement(self.scope, self.call), ast.Raise)

    @property
    def length(self) -> str:
        """``2 s``, or the expression as written."""
        if self.seconds is not None:
            whole = self.seconds == int(self.seconds)
            return f"{int(self.seconds):,} s" if whole else f"{self.seconds:g} s"
        return f"{source_of(self.call.args[0], 30)} s" if self.call.args else "an unknown time"


def sleeps(module: TestModule) -> Iterator[Sleep]:
    """Every call of a known sleep function that takes real time if nothing replaces it."""
    for call, scope in module.calls("sleep", *_aliases(module)):
        full = module.resolve(call.func, scope)
        if full not in _SLEEPS or not (call.args or call.keywords):
            continue
        argument = call.args[0] if call.args else call.keywords[0].value
        seconds = _seconds(module, scope, argument)
        if not _may_be_nothing(argument) and (seconds is None or seconds > _YIELDING):
            yield Sleep(call, scope, full, seconds, _from_parameter(module, scope, argument))


def is_never_called(module: TestModule, scope: Scope) -> bool:
    """Whether the function around is a helper of a test file that nothing names: no test, and called by nobody.

    A method of a derived class may be called by its base, and a decorator may call what it decorates.
    """
    outer = scope.outermost
    name = outer.name
    file = module.path.rpartition("/")[2]
    if not outer.is_function or module.role(outer) is not Role.HELPER or name.startswith(("__", "pytest_")):
        return False
    if file == "conftest.py" or not (file.startswith("test_") or file.endswith("_test.py")):
        return False
    if any(not decorator.startswith("pytest.mark.") for decorator, _ in module.decorators(outer)):
        return False
    if outer.enclosing is not None and _may_be_a_hook(outer.enclosing):
        return False
    return len(re.findall(rf"\b{re.escape(name)}\b", module.text)) == 1


def _may_be_a_hook(around: Scope) -> bool:
    bases: list[ast.expr] = getattr(around.node, "bases", [])
    return any(not source_of(base).endswith(("TestCase", "object")) for base in bases)


def _next_statement(scope: Scope, node: ast.AST) -> ast.stmt | None:
    """The statement that follows the one around ``node``, in the same block."""
    around = scope.parent(node)
    while around is not None and not isinstance(node, ast.stmt):
        node, around = around, scope.parent(around)
    for field in ("body", "orelse", "finalbody"):
        block = getattr(around, field, None)
        if isinstance(block, list) and node in block[:-1]:
            following: ast.stmt = block[block.index(node) + 1]
            return following
    return None


def _may_be_nothing(argument: ast.expr) -> bool:
    """``10 if against_the_real_service() else 0``: whether one of two ways is no wait."""
    return isinstance(argument, ast.IfExp) and any(
        isinstance(branch, ast.Constant) and isinstance(branch.value, (int, float)) and branch.value <= _YIELDING
        for branch in (argument.body, argument.orelse)
    )


def _aliases(module: TestModule) -> list[str]:
    """Local names under which a sleep function was imported (``from time import sleep as nap``)."""
    return [name for name in module.call_names() if name != "sleep" and module.imported_names().get(name) in _SLEEPS]


def _seconds(module: TestModule, scope: Scope, node: ast.expr | None, depth: int = 4) -> float | None:
    if isinstance(node, ast.Constant):
        return float(node.value) if isinstance(node.value, (int, float)) else None
    if isinstance(node, ast.Name) and depth:
        return _seconds(module, scope, module.value(node.id, scope), depth - 1)
    if isinstance(node, ast.BinOp) and depth:
        left = _seconds(module, scope, node.left, depth - 1)
        right = _seconds(module, scope, node.right, depth - 1)
        if left is None or right is None:
            return None
        return _arithmetic(node.op, left, right)
    return None


def _arithmetic(operator: ast.operator, left: float, right: float) -> float | None:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    return left / right if isinstance(operator, ast.Div) and right else None


def _from_parameter(module: TestModule, scope: Scope, argument: ast.expr) -> bool:
    for node in ast.walk(argument):
        if isinstance(node, ast.Name):
            binder = module.binder(node.id, scope)
            if binder is not None and binder.is_function and node.id in parameter_names(binder.node):
                return node.id not in ("self", "cls")
    return False
