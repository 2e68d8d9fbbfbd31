"""Where the input of a file's tests comes from, and which shared data it hands on without a copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of
from pytest_secaudit.source import TestModule, dotted_name, source_of, terminal_name

#: What reads something from outside the file, by the last name of the call.
_SOURCES: Mapping[str, str] = {
    "getenv": "the environment",
    "glob": "the file system",
    "iterdir": "the file system",
    "listdir": "the file system",
    "load": "a file",
    "loads": "",
    "open": "a file",
    "read_bytes": "a file",
    "read_text": "a file",
    "urlopen": "the network",
}
_RANDOM = frozenset(
    ("choice", "randbytes", "randint", "random", "sample", "shuffle", "token_bytes", "token_hex", "urandom")
)
_WRITING = frozenset("awx")
_LOGS = frozenset(("assertLogs", "assertNoLogs"))
_LOADERS = frozenset(("json", "marshal", "pickle", "toml", "tomllib", "yaml"))


def inputs(module: TestModule) -> Iterator[Note]:
    """Files, environment, randomness, subprocess output; logs that are asserted; shared data stored as it is."""
    for name, source in _SOURCES.items():
        for call, scope in module.calls(name) if source else ():
            if _reads(module.resolve(call.func, scope), call):
                yield Note(3, "input", lines_of(call), source_of(call, 50), subject=source)
    for call, scope in module.calls(*_RANDOM):
        if module.resolve(call.func, scope).partition(".")[0] in ("random", "secrets", "os", "numpy"):
            yield Note(3, "input", lines_of(call), source_of(call, 50), subject="chance")
    for call, _ in module.calls(*_LOGS):
        yield Note(3, "logs", lines_of(call), source_of(call, 50))
    yield from _handed_on(module)


def _reads(full: str, call: ast.Call) -> bool:
    name = terminal_name(call.func)
    if name == "load":
        return full.partition(".")[0] in _LOADERS
    if name == "open":
        mode = call.args[1] if len(call.args) > 1 else None
        return not (isinstance(mode, ast.Constant) and isinstance(mode.value, str) and _WRITING & set(mode.value))
    return True


def _handed_on(module: TestModule) -> Iterator[Note]:
    """``self.neutron._networks[key] = self.neutron.network_2``: a value of a fixture, put into it as it is."""
    for node, _ in module.each(ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Subscript):
                holder, value = _owner(target.value), node.value
                is_copy = isinstance(value, ast.Call) and "copy" in terminal_name(value.func) and bool(value.args)
                shared = value.args[0] if is_copy else value  # type: ignore[attr-defined]
                if holder and isinstance(shared, ast.Attribute) and _owner(shared) == holder:
                    yield Note(3, "copied" if is_copy else "uncopied", lines_of(node), dotted_name(shared))


def _owner(expression: ast.expr) -> str:
    """``self.neutron`` of ``self.neutron._ports``."""
    if not isinstance(expression, ast.Attribute):
        return ""
    owner = dotted_name(expression.value)
    return owner if owner.startswith("self.") else ""
