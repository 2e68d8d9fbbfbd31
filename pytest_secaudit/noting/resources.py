"""What a file takes that has to be given back: files, threads, processes, sockets, temporary folders."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of
from pytest_secaudit.source import Scope, TestModule, dotted_name, source_of, terminal_name
from pytest_secaudit.source.syntax import WITHS

_TAKES: Mapping[str, str] = {
    "NamedTemporaryFile": "temporary file",
    "Popen": "process",
    "Process": "process",
    "TemporaryDirectory": "temporary folder",
    "Thread": "thread",
    "ThreadPoolExecutor": "thread pool",
    "Timer": "timer",
    "mkdtemp": "temporary folder",
    "mkstemp": "temporary file",
    "open": "file",
    "socket": "socket",
}
_OTHERS = {"open": ("builtins", "io", "codecs", "open", ""), "socket": ("socket",)}
_GIVES_BACK = (
    "close",
    "join",
    "kill",
    "shutdown",
    "terminate",
    "wait",
    "cleanup",
    "unlink",
    "rmtree",
    "remove",
    "stop",
)


def resources(module: TestModule) -> Iterator[Note]:
    """Each thing taken, and what gives it back, as far as the file tells."""
    for name, what in _TAKES.items():
        for call, scope in module.calls(name):
            root = module.resolve(call.func, scope).partition(".")[0]
            if isinstance(call.func, ast.Attribute) and name in _OTHERS and root not in _OTHERS[name]:
                continue
            yield Note(6, "resource", lines_of(call), source_of(call, 50), subject=what, ends=_end(module, scope, call))


def _end(module: TestModule, scope: Scope, call: ast.Call) -> str:
    for node in scope.ancestors(call):
        if isinstance(node, WITHS) and any(call is item.context_expr for item in node.items):
            return "with"
    around = scope.parent(call)
    if isinstance(around, ast.Attribute) and around.attr in _GIVES_BACK:
        return around.attr
    holder = next(
        (dotted_name(target) for node in scope.of(ast.Assign) if node.value is call for target in node.targets), ""
    )
    for other, where in module.calls(*_GIVES_BACK) if holder else ():
        named = [dotted_name(other.func).rpartition(".")[0], *(dotted_name(argument) for argument in other.args)]
        if where.outermost is scope.outermost and holder in named:
            return f"{terminal_name(other.func)} at {other.lineno}"
    for other, where in module.calls("addCleanup", "addfinalizer", "callback") if holder else ():
        said = [dotted_name(argument) for argument in other.args]
        if where.outermost is scope.outermost and any(one == holder or one.startswith(f"{holder}.") for one in said):
            return f"{terminal_name(other.func)} at {other.lineno}"
    return ""
