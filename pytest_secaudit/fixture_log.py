"""What each fixture costs and touches while the tests run: for the table of fixtures, and only where it was asked for.

A fixture's time is its own: what the fixtures that it asks for take is theirs, also where it asks for them by
``request.getfixturevalue``.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from pytest_secaudit.careful import careful
from pytest_secaudit.claims import lasting
from pytest_secaudit.collected import definitions_of, text_attribute
from pytest_secaudit.redact import clean
from pytest_secaudit.stage import Casting, is_xunit, plugin_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas.fixture_values import FixtureValues
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.record import FixtureRan

#: Areas of what is a fixture's own, and in nobody's way who runs beside it.
_OWN: Final = frozenset(
    {
        "async tasks", "children", "contextvars", "descriptors", "files", "files elsewhere", "fixture values", "modules",
        "namespaces", "temporary paths", "threads",
    }
)  # fmt: skip
#: pytest makes fixtures of the parameters of a test here, and defines none of its own.
_OF_PARAMETERS: Final = "_pytest.python"
#: So many set-ups of a fixture are looked at closely.
_CLOSELY: Final = 3
_MOST_PARTS: Final = 200
#: Stands for the value of a fixture whose set-up raised.
_FAILED: Final = object()


@dataclass(slots=True)
class _Entry:
    """What is known of one fixture so far."""

    id: str
    scope: str
    path: str
    line: int
    asks: tuple[str, ...]
    has_teardown: bool
    setups: int = 0
    failures: int = 0
    setup_s: float = 0.0
    teardown_s: float = 0.0
    users: set[str] = field(default_factory=set)
    touches: dict[str, None] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)
    #: The serials of its wide set-ups: so their values are known.
    serials: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Lap:
    """What runs now: since when, and what others and the watch itself took of that."""

    began: float
    watched: float
    others: float = 0.0


class FixtureLog:
    """A plugin of its own, inside the hooks of the watch: what they take is nobody's time.

    Args:
        casting: knows the fixtures by their definitions.
        engine: knows who is on stage, and what they have changed.
    """

    def __init__(self, casting: Casting, engine: Engine) -> None:
        self.troubles: list[tuple[str, str]] = []
        self._casting = casting
        self._engine = engine
        self._values = engine.areas.get(FixtureValues.name)
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._by_definition: dict[int, tuple[object, _Entry | None]] = {}
        self._running: list[_Lap] = []
        self._test = ""
        #: A test, and what was set up for it: whether it comes to run is not known yet.
        self._stand_for: list[tuple[str, _Entry]] = []

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True
        fixturedef.addfinalizer(lambda: self._is_down(fixturedef))  # runs after the fixture's own
        self._begins()
        value: object = _FAILED
        try:
            value = yield
        finally:
            self._stands(fixturedef, request, value)
        return value

    @careful
    def _begins(self) -> None:
        self._running.append(_Lap(real.perf_counter(), self._engine.seconds))

    def _took(self) -> float:
        """How long it took itself, in seconds; who asked for it meanwhile goes on from here."""
        lap = self._running.pop()
        took = real.perf_counter() - lap.began
        if self._running:
            self._running[-1].others += took - (self._engine.seconds - lap.watched)
        return max(took - lap.others - (self._engine.seconds - lap.watched), 0.0)

    @careful
    def _stands(self, definition: pytest.FixtureDef[Any], request: pytest.FixtureRequest, value: object) -> None:
        seconds = self._took()
        entry = self._entry(definition)
        if entry is not None:
            entry.setups += 1
            entry.setup_s += seconds
            entry.failures += value is _FAILED
            if value is not _FAILED and len(entry.values) < 2:
                entry.values.add(_token(value))
            test = request.node.nodeid if isinstance(request.node, pytest.Item) else self._test
            if test and value is not _FAILED:  # also what is asked for by `getfixturevalue`
                self._stand_for.append((test, entry))
            self._engine.look(closely=entry.setups <= _CLOSELY)  # it may touch nothing at first
            acting = self._engine.ledger.acting
            if acting is not None and acting.scope != "function":
                entry.serials.append(acting.serial)
            owed = self._engine.ledger.owed(acting)
            touched = (lasting("", clean(change.subject)) for area, change in owed if area not in _OWN)
            entry.touches.update(dict.fromkeys(touched))
        definition.addfinalizer(self._begins)  # runs before the fixture's own

    @careful
    def _is_down(self, definition: pytest.FixtureDef[Any]) -> None:
        seconds = self._took()
        entry = self._entry(definition)
        if entry is not None:
            entry.teardown_s += seconds

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """A test stands on all fixtures that it asks for, directly or through others."""
        __tracebackhide__ = True
        self._used_by(item)
        try:
            return (yield)
        finally:
            self._has_used(item)
            self._test = ""

    @careful
    def _used_by(self, item: pytest.Item) -> None:
        self._test = item.nodeid
        self._used(item, _asked_for(item))

    @careful
    def _has_used(self, item: pytest.Item) -> None:
        self._used(item, _requested(item))
        for test, entry in self._stand_for:
            if test == item.nodeid:
                entry.users.add(test)
        self._stand_for.clear()

    @careful
    def _used(self, item: pytest.Item, definitions: Iterable[pytest.FixtureDef[Any]]) -> None:
        for definition in definitions:
            entry = self._entry(definition)
            if entry is not None:
                entry.users.add(item.nodeid)

    @careful
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What no test asks for is told from what was not set up because its tests did not come to it."""
        for item in session.items:
            for definition in _asked_for(item):
                self._entry(definition)

    def _entry(self, definition: pytest.FixtureDef[Any]) -> _Entry | None:
        """None for the set-ups of xunit and unittest and for parameters, which are no fixtures to their authors."""
        known = self._by_definition.get(id(definition))
        if known is None:  # kept with its definition: the id must not be used again
            known = self._by_definition[id(definition)] = (definition, self._new_entry(definition))
        return known[1]

    def _new_entry(self, definition: pytest.FixtureDef[Any]) -> _Entry | None:
        function = self._casting.function_of(definition)
        if is_xunit(definition) or text_attribute(function, "__module__") == _OF_PARAMETERS:
            return None
        identity = self._casting.id_of(definition)
        entry = self._entries.get((identity, definition.argname))
        if entry is None:
            path, line = self._casting.place_of(definition)
            has_teardown = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
            entry = _Entry(identity, definition.scope, path, line, tuple(definition.argnames), has_teardown)
            self._entries[identity, definition.argname] = entry
        return entry

    def _changed(self, entry: _Entry) -> tuple[str, ...]:
        if not isinstance(self._values, FixtureValues):
            return ()
        return tuple(sorted(set().union(*(self._values.changed.get(serial, ()) for serial in entry.serials))))

    def told(self) -> tuple[FixtureRan, ...]:
        """Everything so far."""
        return tuple(
            FixtureRan(
                id=clean(entry.id),
                name=clean(name),
                scope=entry.scope,
                path=clean(entry.path),
                line=entry.line,
                plugin=plugin_of(entry.path),
                asks=tuple(map(clean, entry.asks)),
                has_teardown=entry.has_teardown,
                setups=entry.setups,
                failures=entry.failures,
                setup_s=round(entry.setup_s, 6),
                teardown_s=round(entry.teardown_s, 6),
                users=len(entry.users),
                touches=tuple(sorted(entry.touches)),
                values=tuple(sorted(entry.values)),
                changed=self._changed(entry),
            )
            for (_, name), entry in self._entries.items()
        )


def _requested(item: pytest.Item) -> Iterable[pytest.FixtureDef[Any]]:
    """The definitions that were in effect in the end, also those asked for by ``request.getfixturevalue``."""
    # pytest calls no hook for a fixture that stands already, and has no public way to these.
    # Without the private attributes, such users are not counted: less, not wrong.
    found: dict[str, pytest.FixtureDef[Any]] = getattr(getattr(item, "_request", None), "_fixture_defs", {})
    return tuple(found.values())


def _asked_for(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    """The definitions that are in effect for the test; those that they override where they ask for them."""
    for name, definitions in definitions_of(item).items():
        for definition in reversed(definitions):
            yield definition
            if name not in definition.argnames:
                break


def _token(value: object) -> str:
    """What tells plain, unchangeable values apart; empty for all others."""
    parts = [0]
    if value is None or not _is_plain(value, parts):
        return ""
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _is_plain(value: object, parts: list[int]) -> bool:
    parts[0] += 1
    if parts[0] > _MOST_PARTS:
        return False
    if type(value) is tuple:
        return all(_is_plain(one, parts) for one in value)
    return value is None or type(value) in (str, bytes, int, float, complex, bool)
