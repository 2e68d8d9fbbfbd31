"""The services that a file starts and stops, and with whose rights it asks them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of
from pytest_secaudit.source import Scope, TestModule, dotted_name, source_of, terminal_name
from pytest_secaudit.source.patchers import started

_STARTS = re.compile(r"^_?(start|launch|run|serve|spawn|boot)(_|$)", re.IGNORECASE)
_STARTED_THINGS = re.compile(r"service|server|compute|worker|daemon|broker|cluster|container|app$|node", re.IGNORECASE)
_CHANGES = re.compile(r"^_?(put|update|force|disable|enable)_.*service", re.IGNORECASE)
_STOPS = frozenset(("kill", "shutdown", "stop", "terminate"))
_NO_SERVICES = re.compile(r"patch|mock|timer|thread|_p$|^p$|profil|trace|span|task|loop|time", re.IGNORECASE)
_ADMIN = re.compile(r"(^|_)(admin|root|superuser)(_|$)", re.IGNORECASE)


def services(module: TestModule) -> Iterator[Note]:
    """Starts, stops, and clients with the rights of an administrator."""
    patchers = {begun.call for begun in started(module)}
    starting = [name for name in dict.fromkeys(module.call_names()) if _STARTS.match(name)]
    for call, scope in module.calls(*starting):
        if call not in patchers and _is_service(call):
            yield Note(
                9, "start", lines_of(call), source_of(call, 60), subject=_taken_by(scope, call), ends=_method(call)
            )
    for call, _ in module.calls(*_STOPS):
        receiver = dotted_name(call.func).rpartition(".")[0]
        if receiver and not _NO_SERVICES.search(receiver.rpartition(".")[2]):
            yield Note(9, "stop", lines_of(call), source_of(call, 60), subject=receiver)
    for call, _ in module.calls(*[name for name in dict.fromkeys(module.call_names()) if _CHANGES.match(name)]):
        yield Note(9, "changed", lines_of(call), source_of(call, 60))
    yield from _as_admin(module)


def _is_service(call: ast.Call) -> bool:
    name = terminal_name(call.func)
    receiver = dotted_name(call.func).rpartition(".")[0]
    about = name if receiver in ("", "self", "cls") else f"{name} {receiver.rpartition('.')[2]}"
    return bool(_STARTED_THINGS.search(about)) and not _NO_SERVICES.search(about)


def _method(call: ast.Call) -> str:
    """The method of the test class that starts it, which may see to its end, too: `pytest_secaudit.endings` asks it."""
    owner, _, name = dotted_name(call.func).rpartition(".")
    return f"self.{name}" if owner in ("self", "cls") else ""


def _taken_by(scope: Scope, call: ast.Call) -> str:
    return next(
        (dotted_name(target) for node in scope.of(ast.Assign) if node.value is call for target in node.targets), ""
    )


def _as_admin(module: TestModule) -> Iterator[Note]:
    """``self.api = self.admin_api``: every request goes with all rights."""
    for node, _ in module.each(ast.Assign):
        if isinstance(node.value, ast.Attribute) and _ADMIN.search(node.value.attr):
            for target in node.targets:
                name = dotted_name(target).rpartition(".")[2]
                if name in ("api", "client", "session", "user") and not _ADMIN.search(name):
                    yield Note(9, "as admin", lines_of(node), source_of(node, 60), subject=dotted_name(target))
