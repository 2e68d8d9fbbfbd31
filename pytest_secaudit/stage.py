"""Who is on stage: fixtures, tests and imports of pytest, as the ledger's actors."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import CodeType

import pytest

from pytest_secaudit.collected import Collector
from pytest_secaudit.lean import lean
from pytest_secaudit.watch.ledger import Actor

#: pytest makes fixtures of xunit set-ups; their names are private, and start like this.
_XUNIT = {
    "_xunit_setup_module_fixture_": ("setUpModule", "setup_module"),
    "_xunit_setup_function_fixture_": ("setup_function",),
    "_xunit_setup_class_fixture_": ("setup_class",),
    "_xunit_setup_method_fixture_": ("setup_method",),
    "_unittest_setUpClass_fixture_": ("setUpClass",),
    "_unittest_setup_method_fixture_": ("setup_method",),
}


@lean
@dataclass(frozen=True, slots=True)
class Cast:
    """An actor, and the node at whose end its scope is over."""

    actor: Actor
    node: pytest.Item | pytest.Collector


class Casting:
    """Finds the actor behind what pytest runs; what is known of a fixture is found out once."""

    def __init__(self, collector: Collector, at_home: Callable[[str], str] = str) -> None:
        self._collector = collector
        #: The project's own file behind one that is installed.
        self._at_home = functools.cache(at_home)
        #: By the id of the definition: it is kept, for its id must not be used again, and so is its own function.
        self._fixtures: dict[int, tuple[object, Actor, Callable[..., object]]] = {}
        self._classes: dict[int, tuple[type, str, int]] = {}
        self._serials = count(1)
        self._parent: pytest.Item | pytest.Collector | None = None
        self._path: Path | None = None
        self._group = self._relative = ""

    def test(self, item: pytest.Item) -> Actor:
        """One run of a test."""
        if item.parent is not self._parent or item.path is not self._path:
            self._parent, self._path = item.parent, item.path
            self._group = item.parent.nodeid if item.parent else ""
            self._relative = self._collector.relative(str(item.path))
        line = (item.location[1] or 0) + 1
        return Actor("test", item.nodeid, self._group, "function", self._relative, line, None, (), next(self._serials))

    def setup_of(self, test: Actor, item: pytest.Item) -> Actor:
        """The ``setUp`` of a `unittest.TestCase`, which runs inside pytest's call of the test."""
        cls: type | None = getattr(item, "cls", None)
        found = _defining(cls, "setUp")
        if cls is None or found is None:
            return test
        path, line = self._place_of_set_up(found, cls)
        identity = f"{item.parent.nodeid if item.parent else ''}::setUp"
        return test._replace(kind="setup", id=identity, path=path or test.path, line=line or test.line)

    def fixture(self, definition: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> Cast:
        """One set-up of a fixture."""
        node: pytest.Item | pytest.Collector = request.node
        known = self._fixtures.get(id(definition))
        if known is None:
            actor, function = self._look_at(definition, request), inspect.unwrap(definition.func)
            known = self._fixtures[id(definition)] = (definition, actor, function)
        return Cast(known[1]._replace(group=node.nodeid, serial=next(self._serials)), node)

    def place_of(self, definition: pytest.FixtureDef[object]) -> tuple[str, int]:
        """Where the fixture is defined, also that of a plugin."""
        return self._place(self.function_of(definition))

    def function_of(self, definition: pytest.FixtureDef[object]) -> Callable[..., object]:
        """The user's own: anyio and pytest-asyncio put another in its place while it is set up."""
        known = self._fixtures.get(id(definition))
        return known[2] if known is not None else inspect.unwrap(definition.func)

    def id_of(self, definition: pytest.FixtureDef[object]) -> str:
        """Of its owner in findings."""
        function = self.function_of(definition)
        return f"{self._place(function)[0]}::{_qualname(function) or definition.argname}"

    @property
    def fixtures_seen(self) -> tuple[str, ...]:
        """The ids of the fixtures that were set up so far."""
        return tuple(sorted({actor.id for _, actor, _ in self._fixtures.values()}))

    def imported(self, path: str, group: str = "") -> Actor:
        """The import of a module."""
        relative = self._collector.relative(path)
        return Actor("import", relative, group=group, scope="session", path=relative)

    # --- fixtures

    def _look_at(self, definition: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> Actor:
        scope = definition.scope
        for start, names in _XUNIT.items():
            if definition.argname.startswith(start):
                return self._xunit(names, scope, request)
        function = inspect.unwrap(definition.func)
        path, line = self._place(function)
        identity = self.id_of(definition)
        if not path.startswith("<"):
            return Actor("fixture", identity, scope=scope, path=path, line=line)
        asked_path, asked_line = self._asked_for(request)
        return Actor("fixture", identity, scope=scope, path=asked_path, line=asked_line, plugin=plugin_of(path))

    def _asked_for(self, request: pytest.FixtureRequest) -> tuple[str, int]:
        """Where the user first asks for a fixture of an installed plugin."""
        item: pytest.Item | None = getattr(request, "_pyfuncitem", None)
        if item is None:
            return "", 1
        return self._collector.relative(str(item.path)), (item.location[1] or 0) + 1

    def _xunit(self, names: tuple[str, ...], scope: str, request: pytest.FixtureRequest) -> Actor:
        node = request.node
        holder = request.cls if scope in ("class", "function") and request.cls is not None else request.module
        for name in names:
            found = _defining(holder, name) if isinstance(holder, type) else vars(holder).get(name)
            if found is None:
                continue
            path, line = self._place_of_set_up(found, holder)
            where = getattr(node if scope != "function" else node.parent, "nodeid", "")
            return Actor("setup", f"{where}::{name}", scope=scope, path=path, line=line)
        return Actor("setup", f"{node.nodeid}::{names[0]}", scope=scope, path=self._collector.relative(str(node.path)))

    def _place_of_set_up(self, function: object, holder: object) -> tuple[str, int]:
        """Its definition; the user's class where that inherits it from an installed package."""
        path, line = self._place(function)
        if not path.startswith("<") or not isinstance(holder, type):
            return path, line
        known = self._classes.get(id(holder))
        if known is None:  # kept with the class: its id must not be used again
            known = self._classes[id(holder)] = (holder, *self._place_of_class(holder))
        return (known[1], known[2]) if known[1] else (path, line)

    def _place_of_class(self, cls: type) -> tuple[str, int]:
        path = getattr(sys.modules.get(cls.__module__), "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py"):
            return "", 1
        statement = re.compile(rf"[ \t]*class[ \t]+{re.escape(cls.__name__)}\b")
        first: int = vars(cls).get("__firstlineno__", 1)  # from Python 3.13 on, its decorators included
        try:
            lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return "", 1
        numbers = (number for number, text in enumerate(lines, 1) if number >= first and statement.match(text))
        return self._collector.relative(path), next(numbers, first)

    def _place(self, function: object) -> tuple[str, int]:
        code = _code(function)
        if code is None:
            return "", 1
        return self._collector.relative(self._at_home(code.co_filename)), code.co_firstlineno


def plugin_of(path: str) -> str | None:
    """The package or module that a path outside the project belongs to."""
    if not path.startswith("<"):
        return None
    return path.split("/")[1].removesuffix(".py") if "/" in path else path


def is_xunit(definition: pytest.FixtureDef[object]) -> bool:
    """Whether pytest made it of a set-up of xunit or unittest, which is no fixture to its author."""
    return definition.argname.startswith(tuple(_XUNIT))


def _defining(cls: object, name: str) -> object | None:
    """The function of this name that the user's class or a base of it defines; not unittest's own empty one."""
    for base in getattr(cls, "__mro__", ()):
        if base.__module__.startswith("unittest."):
            return None
        if name in vars(base):
            return vars(base)[name]  # type: ignore[no-any-return]
    return None


def _code(function: object) -> CodeType | None:
    if isinstance(function, (staticmethod, classmethod)):
        function = function.__func__
    try:
        found = getattr(inspect.unwrap(function), "__code__", None)  # type: ignore[arg-type]
    except Exception:  # a callable object with a mind of its own
        return None
    return found if isinstance(found, CodeType) else None


def _qualname(function: object) -> str:
    name = getattr(function, "__qualname__", "")
    return name.replace(".<locals>", "").replace(".", "::") if isinstance(name, str) else ""
