"""The hooks that drive the watch: each change of stage, each end of a scope.

Nothing a test does reaches these lines as an exception of ours: what fails here is noted and said in the report.
"""

from __future__ import annotations

import functools
import os
import unittest
from collections.abc import Generator
from typing import Any

import pytest

from pytest_secaudit.careful import careful
from pytest_secaudit.live import is_module, names_of
from pytest_secaudit.model import Place
from pytest_secaudit.reading import fingerprint
from pytest_secaudit.secrets_formats import may_hold_token
from pytest_secaudit.stage import Cast, Casting
from pytest_secaudit.watch import clock
from pytest_secaudit.watch.clock import Clock
from pytest_secaudit.watch.contact import Contact
from pytest_secaudit.watch.engine import Engine, owner_of
from pytest_secaudit.watch.ledger import OUTSIDE, Actor
from pytest_secaudit.watch.loads import Loads
from pytest_secaudit.watch.outputs import Outputs
from pytest_secaudit.watch.parts import Parts
from pytest_secaudit.watch.record import Contacted, Noticed, Slept, Watched

Node = pytest.Item | pytest.Collector
_TEST_CASE = unittest.TestCase


class Watching:
    """Tells the engine who is on stage."""

    def __init__(
        self, engine: Engine, casting: Casting, clock: Clock, contact: Contact, outputs: Outputs, loads: Loads
    ) -> None:
        self.engine = engine
        self.casting = casting
        self.clock = clock
        self.contact = contact
        self.outputs = outputs
        self.loads = loads
        self._sent = 0
        self.parts: Parts | None = None
        self.troubles: list[tuple[str, str]] = []
        self._item: pytest.Item | None = None
        self._test: Actor | None = None
        self._setup: Actor | None = None
        self._failed: set[str] = set()
        self._armed: set[Node] = set()
        self._owners: dict[Node, list[Actor]] = {}
        self._imports: list[Actor] = []
        self._interrupted = False
        self._dressed = False
        self._others = True

    # --- conftests and test modules

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        if not isinstance(collector, pytest.Module):
            return (yield)
        actor = self._begin_import(collector)
        try:
            return (yield)
        finally:
            self._end(actor)

    @careful
    def pytest_plugin_registered(self, plugin: object) -> None:
        """A conftest is registered right after it was imported."""
        path = names_of(plugin).get("__file__")
        if isinstance(path, str) and os.path.basename(path) == "conftest.py":
            actor = self.casting.imported(path)
            self.engine.ledger.enter(actor)
            self.engine.leave(actor)
            self._imports.append(actor)

    @careful
    def _begin_import(self, collector: pytest.Module) -> Actor:
        actor = self.casting.imported(str(collector.path), collector.nodeid)
        self.engine.enter(actor)
        self._imports.append(actor)
        return actor

    @careful
    def _end(self, actor: Actor | None) -> None:
        if actor is not None:
            self.engine.leave(actor)

    # --- tests

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        self._test_begins(item)
        try:
            return (yield)
        finally:
            self._arm(item)

    @careful
    def _test_begins(self, item: pytest.Item) -> None:
        self._item = item
        self._dressed = False
        self.clock.refresh()
        self.contact.refresh()
        self.loads.refresh()
        self._failed.discard(item.nodeid)
        self.engine.ledger.clear_stage()
        self.engine.ledger.setting_up = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        self._call_begins(item)
        try:
            return (yield)
        finally:
            self._call_ends()

    @careful
    def _call_begins(self, item: pytest.Item) -> None:
        self._test = self.casting.test(item)
        if self._others:
            self.engine.look()
        if self.parts is not None and self._is_told_in_parts(item, self.parts):
            self.parts.begin()
            self._setup = self.casting.setup_of(self._test, item)
            self._go_on_stage(self._setup, item)
        else:
            self._body_begins(item)

    @staticmethod
    def _is_told_in_parts(item: pytest.Item, parts: Parts) -> bool:
        cls = getattr(item, "cls", None)
        return isinstance(cls, type) and issubclass(cls, _TEST_CASE) and parts.tells(cls)

    def _go_on_stage(self, actor: Actor, item: pytest.Item) -> None:
        self._owners.setdefault(item, []).append(actor)
        self.engine.ledger.enter(actor)

    def _body_begins(self, item: pytest.Item) -> None:
        self.engine.ledger.setting_up = False
        if self._test is not None:
            self._go_on_stage(self._test, item)
            self.engine.ledger.body_begins(self._test)

    @careful
    def part_begins(self) -> None:
        """The set-up of a unittest test is done: what comes now is its body."""
        if self._item is not None and self._setup is not None:
            self.engine.leave(self._setup)
            self._setup = None
            self._body_begins(self._item)

    @careful
    def _call_ends(self) -> None:
        actor = self._setup or self._test
        if actor is not None:
            self.engine.leave(actor)
        self._setup = self._test = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        self._teardown_begins()
        try:
            return (yield)
        finally:
            self._claim(item)

    @careful
    def _teardown_begins(self) -> None:
        self.engine.ledger.setting_up = False
        if self._dressed and self._others:  # fixtures are to be taken down: what hooks did meanwhile is not theirs
            self.engine.look()

    @careful
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.add(report.nodeid)
            self.engine.ledger.test_failed(report.nodeid)
        self._scan(report)

    def _scan(self, report: pytest.TestReport) -> None:
        """Whether a secret stands in what the test printed, or in the text of its failure."""
        if report.sections or report.failed:
            owner = self._owner_of(report.nodeid)
            for name, text in report.sections:
                self.outputs.scan(name.lower(), text, owner)
            if report.failed:
                self.outputs.scan("failure text", report.longreprtext, owner)

    def _owner_of(self, test: str) -> Actor:
        item = self._item
        return self.casting.test(item) if item is not None and item.nodeid == test else Actor("test", test)

    @careful
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._others = _others_act(session.config.hook)
        for item in session.items:
            if "[" in item.nodeid and (may_hold_token(item.nodeid) or "://" in item.nodeid):
                self.outputs.scan("test id", item.nodeid, self.casting.test(item))

    @careful
    def pytest_keyboard_interrupt(self) -> None:
        self._interrupted = True

    # --- fixtures

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        cast = self._fixture_begins(fixturedef, request)
        try:
            return (yield)
        finally:
            self._fixture_stands(fixturedef, cast)

    @careful
    def _fixture_begins(self, definition: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Cast:
        if self._item is not None:
            self._arm(self._item)
        cast = self.casting.fixture(definition, request)
        self._owners.setdefault(cast.node, []).append(cast.actor)
        definition.addfinalizer(lambda: self._fixture_is_down(cast))  # runs after the fixture's own
        if cast.actor.scope != "function":  # what it does must not be mixed up with what tests before it did
            self.engine.look(closely=True)
        elif self._others or self.engine.ledger.somebody_acts:
            self.engine.look()
        self.engine.ledger.enter(cast.actor)
        self._dressed = True
        return cast

    @careful
    def _fixture_stands(self, definition: pytest.FixtureDef[Any], cast: Cast | None) -> None:
        if cast is not None:
            self.engine.leave(cast.actor)
            definition.addfinalizer(lambda: self._fixture_goes(cast))  # runs before the fixture's own

    @careful
    def _fixture_goes(self, cast: Cast) -> None:
        if cast.actor.scope != "function":
            self.engine.look(closely=True)
        self.engine.ledger.enter(cast.actor)

    @careful
    def _fixture_is_down(self, cast: Cast) -> None:
        self.engine.leave(cast.actor)
        if self.engine.ledger.setting_up:  # another parameter's turn: it ends inside the next test's set-up
            self._owners.get(cast.node, [cast.actor]).remove(cast.actor)
            self.engine.close(cast.actor)

    # --- claims

    @careful
    def _arm(self, item: pytest.Item) -> None:
        """Claim at the end of each scope around the test: after its finalisers, before those of the next wider one."""
        node: pytest.Item | pytest.Collector | None = item
        while node is not None and node not in self._armed:
            try:
                node.addfinalizer(functools.partial(self._claim, node))
            except AssertionError:  # its set-up failed before it began: there is nothing to claim
                return
            self._armed.add(node)
            node = node.parent

    @careful
    def _claim(self, node: Node) -> None:
        self._armed.discard(node)
        owners = self._owners.pop(node, ())
        if owners and not isinstance(node, pytest.Item):
            self.engine.look(closely=True)
        for actor in owners:
            if not self._interrupted:
                self.engine.close(actor, failed=actor.kind != "fixture" and node.nodeid in self._failed)
        self.engine.close_windows()

    # --- what goes home

    @careful
    def news(self) -> Watched | None:
        """What is new since the last time; None if nothing is."""
        claims = self.engine.claimed(self._sent)
        self._sent += len(claims)
        news = Watched(claims, self._slept(), self._contacts(), self._noticed())
        return news if news != Watched() else None

    @careful
    def rest(self) -> Watched:
        """All claims as they stand in the end, and what was not handed out yet."""
        return Watched(
            claims=self.engine.claimed(),
            slept=self._slept(),
            contacts=self._contacts(),
            noticed=self._noticed(),
            watchers=self._watchers(),
            fixtures=self.casting.fixtures_seen,
            slept_s=self.clock.seconds_total(),
            slept_in_threads_s=self.clock.seconds_in_threads(),
            seconds=self.engine.seconds,
        )

    def _watchers(self) -> dict[str, str]:
        files = f"off: {self.contact.files_off}" if self.contact.files_off else "on"
        return {
            **self.engine.watchers,
            "sleep": "on",
            "contact": "on",
            "credential files": files,
        }

    def _slept(self) -> tuple[Slept, ...]:
        return tuple(self._as_record(one) for one in self.clock.drain())

    def _as_record(self, one: clock.Slept) -> Slept:
        place = one.site.edit or Place("", 0)
        return Slept(
            place=place,
            written_at=one.site.written_at or place,
            owner=owner_of(one.actor if isinstance(one.actor, Actor) else OUTSIDE),
            calls=one.calls,
            seconds=round(one.seconds, 6),
            kind=one.kind,
            identity=fingerprint(place.path, one.site.function, self.engine.source_line(place)),
            function=one.site.function,
            in_thread=one.in_thread,
            under_mock=one.under_mock,
            called_back=one.called_back,
            overlapped=one.overlapped,
        )

    def _contacts(self) -> tuple[Contacted, ...]:
        return tuple(
            Contacted(
                kind=one.kind,
                what=one.what,
                owner=owner_of(one.actor if isinstance(one.actor, Actor) else OUTSIDE),
                place=one.site.edit,
                written_at=one.site.written_at,
            )
            for one in self.contact.drain()
        )

    def _noticed(self) -> tuple[Noticed, ...]:
        return (*self.outputs.drain(), *self.loads.drain())

    @careful
    def finish(self) -> None:
        """The session is over: imports claim last."""
        if not self._interrupted:
            for actor in self._imports:
                self.engine.close(actor)
        self.engine.stop()


#: Between two stages these run. Where they are only pytest's own and those of plugins that change nothing, nobody need
#: look in between.
_BETWEEN = (
    "pytest_runtest_protocol",
    "pytest_runtest_logstart",
    "pytest_runtest_setup",
    "pytest_runtest_call",
    "pytest_runtest_teardown",
    "pytest_runtest_makereport",
    "pytest_runtest_logreport",
    "pytest_runtest_logfinish",
    "pytest_fixture_setup",
    "pytest_fixture_post_finalizer",
)
_KNOWN = ("_pytest.", "pytest_secaudit.", "xdist.", "pytest_cov.", "_hypothesis_pytestplugin", "pluggy.")


def _others_act(hooks: Any) -> bool:
    """Whether a conftest or another plugin does something of its own between the stages of a test."""
    return any(
        not _home(implementation.plugin).startswith(_KNOWN)
        for name in _BETWEEN
        for implementation in getattr(hooks, name).get_hookimpls()
    )


def _home(plugin: object) -> str:
    name = names_of(plugin).get("__name__") if is_module(plugin) else type(plugin).__module__
    return f"{name}."
