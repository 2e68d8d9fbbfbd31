"""What tests replace without any patcher: ``shop.auth.verify_token = fake``, also where they put it back themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import pytest

from pytest_secaudit.collected import File, definitions_of, qualname_of
from pytest_secaudit.model import Place
from pytest_secaudit.reading import decode, load
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.changes import Change, changes
from pytest_secaudit.source.module import Role, Scope
from pytest_secaudit.static import KEY as STATIC
from pytest_secaudit.watch.patches.targets import NOTHING, along

#: Where no line is like this, a file need not be read again.
_ASSIGNS: Final = re.compile(rb"^[ \t]+[\w., \t]*\w\.\w+[\w., \t]*=[^=]|\bsetattr\(", re.MULTILINE)


def assigned(items: Iterable[pytest.Item]) -> Iterator[tuple[object, Place, set[str]]]:
    """What stands, now that all is collected, where a function of the test side assigns to an attribute of an import.

    Yields:
        The object, the line that replaces it, and the ids of the tests that run the line, as far as the text tells.
    """
    functions = [item for item in items if isinstance(item, pytest.Function)]
    static = functions[0].config.stash.get(STATIC, None) if functions else None
    by_path: defaultdict[str, list[pytest.Function]] = defaultdict(list)
    for item in functions:
        by_path[item.nodeid.partition("::")[0]].append(item)
    for file in static.files if static is not None else ():
        for name, scope, line, module in _assignments(file):
            original = along(name)
            tests = _tests_of(scope, module, functions, by_path[file.relative]) if original is not NOTHING else set()
            if tests:
                yield original, Place(file.relative, line), tests


def _assignments(file: File) -> Iterator[tuple[str, Scope, int, TestModule]]:
    """Dotted name, the outermost function, line."""
    try:
        data = load(file.path)
        module = TestModule(file.relative, decode(data)) if _ASSIGNS.search(data) else None
    except Exception:  # the reading of the file says why
        return
    first: dict[tuple[Scope, str], Change] = {}  # the next one puts it back, as a rule
    for change in sorted(changes(module), key=lambda one: one.line) if module is not None else ():
        first.setdefault((change.scope, change.place.name), change)
    for change in first.values():
        scope = change.scope.outermost
        is_of_function = scope.is_function and module is not None and module.role(scope) is not Role.TEARDOWN
        if is_of_function and change.place.area == "attribute" and not change.place.whole and not change.removes:
            yield change.place.name, scope, change.line, module  # type: ignore[misc]


def _tests_of(
    scope: Scope, module: TestModule, items: Iterable[pytest.Function], of_file: Iterable[pytest.Function]
) -> set[str]:
    """Those that run the function; of a test or set-up only the items of its own file need be asked."""
    role = module.role(scope)
    if role is Role.FIXTURE:
        return {item.nodeid for item in items if _asks_for(item, scope, module)}
    if role is Role.TEST:
        return {item.nodeid for item in of_file if qualname_of(item) == scope.qualname}
    if role is Role.SETUP:
        return {item.nodeid for item in of_file if qualname_of(item).startswith(_before(scope.qualname))}
    return set()


def _before(qualname: str) -> str:
    """The class of a method, with its dot; nothing of a function."""
    return "".join(qualname.rpartition(".")[:2])


def _asks_for(item: pytest.Function, scope: Scope, module: TestModule) -> bool:
    return module.fixture_name(scope) in item.fixturenames and any(
        getattr(definition.func, "__qualname__", "") == scope.qualname
        for definition in chain.from_iterable(definitions_of(item).values())
    )
