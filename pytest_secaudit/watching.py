"""The hooks that drive the watch: each change of stage, each end of a scope.

Nothing a test does reaches these lines as an exception of ours: what fails here is noted and said in the report.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator, Sequence
from typing import Any

import pytest

from pytest_secaudit.careful import careful
from pytest_secaudit.following import WATCHER, Following
from pytest_secaudit.model import Place
from pytest_secaudit.reading import fingerprint
from pytest_secaudit.redact import clean
from pytest_secaudit.secrets_formats import may_hold_token
from pytest_secaudit.stage import Cast, Casting
from pytest_secaudit.strangers import is_module, names_of
from pytest_secaudit.watch import clock, real
from pytest_secaudit.watch.areas.fixture_values import FixtureValues
from pytest_secaudit.watch.areas.imports import Imports, folder_of_packages
from pytest_secaudit.watch.clock import Clock
from pytest_secaudit.watch.contact import Contact
from pytest_secaudit.watch.disk.elsewhere import Elsewhere
from pytest_secaudit.watch.engine import Engine, owner_of
from pytest_secaudit.watch.ledger import OUTSIDE, Actor
from pytest_secaudit.watch.loads import Loads
from pytest_secaudit.watch.mocks import Mocks
from pytest_secaudit.watch.namespaces import Namespaces
from pytest_secaudit.watch.outputs import Outputs
from pytest_secaudit.watch.parts import Parts
from pytest_secaudit.watch.record import Contacted, Noticed, Slept, Watched

Node = pytest.Item | pytest.Collector


class Watching:
    """Tells the engine who is on stage.

    Attributes:
        adds_folders: whether pytest puts the folders of test modules on ``sys.path``: not with ``importlib``.
        learn: told the file of each test module and conftest.
    """

    def __init__(
        self,
        engine: Engine,
        casting: Casting,
        clock: Clock,
        contact: Contact,
        outputs: Outputs,
        loads: Loads,
        mocks: Mocks,
    ) -> None:
        self.engine = engine
        self.casting = casting
        self.clock = clock
        self.contact = contact
        self.outputs = outputs
        self.loads = loads
        self.mocks = mocks
        self._passed = True
        self._sent = 0
        self.adds_folders = True
        self.learn: Callable[[str], None] = _nobody_asks
        values = engine.areas.get(FixtureValues.name)
        self.values = values if isinstance(values, FixtureValues) else None
        elsewhere = engine.areas.get(Elsewhere.name)
        self.elsewhere = elsewhere if isinstance(elsewhere, Elsewhere) else None
        namespaces = engine.areas.get(Namespaces.name)
        self.namespaces = namespaces if isinstance(namespaces, Namespaces) else None
        self.parts: Parts | None = None
        self.following = Following()
        self.troubles: list[tuple[str, str]] = []
        self._item: pytest.Item | None = None
        self._mine: list[Actor] = []
        self._parent: Node | None = None
        self._in_parts = False
        self._taking_down = False
        self._test: Actor | None = None
        self._setup: Actor | None = None
        self._failed: set[str] = set()
        self._armed: set[Node] = set()
        self._owners: dict[Node, list[Actor]] = {}
        self._imports: list[Actor] = []
        self._interrupted = False
        self._others = True
        self._loaded = 0

    # --- conftests and test modules

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        __tracebackhide__ = True
        if not isinstance(collector, pytest.Module):
            return (yield)
        actor = self._begin_import(collector)
        try:
            return (yield)
        finally:
            self._end_import(actor, collector)

    @careful
    def pytest_plugin_registered(self, plugin: object) -> None:
        """A conftest is registered right after it was imported."""
        path = names_of(plugin).get("__file__")
        if isinstance(path, str) and os.path.basename(path) == "conftest.py":
            self.learn(path)
            actor = self.casting.imported(path)
            self.engine.ledger.enter(actor)
            self._imported(actor, path)
            self.mocks.refresh()

    @pytest.hookimpl(tryfirst=True)
    @careful
    def pytest_collection(self) -> None:
        """What plugins set when they were configured is not the doing of the first module that is imported."""
        self.engine.look(closely=True)

    @careful
    def _begin_import(self, collector: pytest.Module) -> Actor:
        self.learn(str(collector.path))
        actor = self.casting.imported(str(collector.path), collector.nodeid)
        self.engine.enter(actor)
        return actor

    @careful
    def _end_import(self, actor: Actor | None, collector: pytest.Module) -> None:
        if actor is not None:
            self._imported(actor, str(collector.path))
            self.mocks.refresh()

    def _imported(self, actor: Actor, path: str) -> None:
        """What pytest adds to ``sys.path`` is not the doing of the module that it imports from there."""
        imports = self.engine.areas.get(Imports.name)
        if isinstance(imports, Imports) and self.adds_folders:
            imports.expected = folder_of_packages(path)
            self.engine.leave(actor)
            imports.expected = None
        else:
            self.engine.leave(actor)
        self._imports.append(actor)

    # --- tests: what runs for each of them is spelt out here, without `careful`

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        __tracebackhide__ = True
        try:
            if self._taking_down:
                self.test_is_over()
            self._item = item
            self._test = test = self.casting.test(item)
            if item.parent is not self._parent:
                self._parent_begins(item)
            if self._failed:
                self._failed.discard(test.id)
            if self._others:
                self.engine.look()
            if self.values is not None:
                self.values.use(getattr(item, "fixturenames", ()))
            if self._in_parts:
                self._set_up_begins(test, item)
            else:
                self._mine.append(test)
                self.engine.ledger.body_begins(test)
            if self.following.lines is not None:
                self.following.begin(test.id)
        except Exception as error:
            self._trouble("pytest_runtest_call", error)
        try:
            return (yield)
        finally:
            self.following.end()
            actor = self._setup or self._test
            self._setup = self._test = None
            self._taking_down = True
            try:
                if actor is not None:
                    self.engine.leave(actor)
            except Exception as error:
                self._trouble("pytest_runtest_call", error)

    @careful
    def _parent_begins(self, item: pytest.Item) -> None:
        self._arm(item.parent)
        self._parent = item.parent
        self._in_parts = self._is_told_in_parts(item)
        if self.namespaces is not None:
            self.namespaces.attend(getattr(item, "module", None))
        self.following.attend(item)

    def test_is_over(self) -> None:
        """Its clean-up is done, too: what comes now is the set-up of the next."""
        try:
            ledger = self.engine.ledger
            self.engine.test_is_over()
            if self.engine.windows or not ledger.is_even(self._mine):
                self._claim_mine()
            self.engine.in_scope.difference_update(self._mine)
            if self.mocks.at_work is not None:
                self.mocks.at_work.test_ends(self._item.nodeid if self._item is not None else "", passed=self._passed)
            self._passed = True
            self._mine.clear()
            self._item, self._taking_down = None, False
            ledger.set_up_begins()
            self.clock.refresh()
            self.contact.refresh()
            if len(real.modules) != self._loaded:
                self._loaded = len(real.modules)
                self.loads.refresh()
                self.mocks.refresh()
        except Exception as error:
            self._trouble("pytest_runtest_logreport", error)

    def _trouble(self, hook: str, error: Exception) -> None:
        self.troubles.append((hook, clean(f"{type(error).__name__}: {error}")))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self.engine.ledger.setting_up = False  # stopped early, what is left is taken down only now

    # --- unittest, where set-up and body are one call

    def _is_told_in_parts(self, item: pytest.Item) -> bool:
        cls = getattr(item, "cls", None)
        return self.parts is not None and isinstance(cls, type) and self.parts.tells(cls)

    def _set_up_begins(self, test: Actor, item: pytest.Item) -> None:
        if self.parts is not None:
            self.parts.begin()
        self._setup = self.casting.setup_of(test, item)
        self._mine.append(self._setup)
        self.engine.ledger.enter(self._setup)

    @careful
    def part_begins(self) -> None:
        """The set-up of a unittest test is done: what comes now is its body."""
        if self._setup is not None and self._test is not None:
            self.engine.leave(self._setup)
            self._setup = None
            self._mine.append(self._test)
            self.engine.ledger.body_begins(self._test)

    # --- reports

    def heard(self, report: pytest.TestReport) -> None:
        """Three times for every test; most reports say nothing but that a phase is over."""
        if report.outcome != "passed" or report.sections:
            self._reported(report)
        if report.when == "teardown":
            self.test_is_over()

    @careful
    def _reported(self, report: pytest.TestReport) -> None:
        """A phase of a test failed, was skipped or printed something."""
        self._passed = self._passed and report.outcome == "passed"
        if report.outcome != "passed":
            self.following.did_not_pass(report.nodeid)
        if report.when == "setup" and report.outcome != "passed":  # there will be no call
            self._taking_down = True
            self.engine.ledger.setting_up = False
        if report.outcome == "failed" or report.sections:
            self._hear(report)

    def _hear(self, report: pytest.TestReport) -> None:
        """Whether it failed, and whether a secret stands in what it printed or in the text of its failure."""
        test, has_failed = report.nodeid, report.outcome == "failed"
        if has_failed:
            self._failed.add(test)
            self.engine.ledger.test_failed(test)
        owner = self._owner_of(test)
        for name, text in report.sections:
            self.outputs.scan(name.lower(), text, owner)
        if has_failed:
            self.outputs.scan("failure text", report.longreprtext, owner)

    def _owner_of(self, test: str) -> Actor:
        item = self._item
        return self.casting.test(item) if item is not None and item.nodeid == test else Actor("test", test)

    @careful
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._others = self.engine.others_act = _others_act(session.config.hook)
        self.test_is_over()
        self.engine.begin_tests()
        for item in session.items:
            test = item.nodeid
            if "[" in test and (may_hold_token(test) or "://" in test):
                self.outputs.scan("test id", test, self.casting.test(item))

    @careful
    def pytest_keyboard_interrupt(self) -> None:
        self._interrupted = True

    # --- fixtures

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        __tracebackhide__ = True  # a failing set-up is shown as without the audit
        cast = self._fixture_begins(fixturedef, request)
        value: object = None
        try:
            value = yield
        finally:
            self._fixture_stands(fixturedef, cast, value)
        return value

    @careful
    def _fixture_begins(self, definition: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Cast:
        cast = self.casting.fixture(definition, request)
        if isinstance(cast.node, pytest.Item):
            if self._taking_down and cast.node is not self._item:
                self.test_is_over()
            self._item = cast.node
            self._mine.append(cast.actor)
        else:
            self._arm(cast.node)
            self._owners.setdefault(cast.node, []).append(cast.actor)
        definition.addfinalizer(lambda: self._fixture_is_down(cast))  # runs after the fixture's own
        if cast.actor.scope != "function":  # what it does must not be mixed up with what tests before it did
            self.engine.look(closely=True)
        elif self._others or self.engine.ledger.somebody_acts:
            self.engine.look()
        if self.values is not None:
            self.values.use(definition.argnames)
        self.engine.ledger.enter(cast.actor)
        return cast

    @careful
    def _fixture_stands(self, definition: pytest.FixtureDef[Any], cast: Cast | None, value: object) -> None:
        if cast is not None:
            self.engine.leave(cast.actor)
            is_users = cast.actor.plugin is None  # pytest's `doctest_namespace` is there to be written to
            if self.values is not None and is_users and cast.actor.scope != "function":
                self.values.follow(cast.actor.serial, definition.argname, value)
            if self.elsewhere is not None and is_users and cast.actor.scope != "function":
                self.elsewhere.begin_folder(cast.actor.serial, definition.argname, value)
            definition.addfinalizer(lambda: self._fixture_goes(definition, cast))  # runs before the fixture's own

    @careful
    def _fixture_goes(self, definition: pytest.FixtureDef[Any], cast: Cast) -> None:
        if cast.actor.scope != "function":
            if self._taking_down and cast.node is not self._item:
                self._claim_mine()  # what the test left is not for a wider fixture to put right
            self.engine.look(closely=True)
            if cast.actor.scope != "class":
                self.engine.look_far()
            if self.values is not None:
                self.values.end(cast.actor.serial)
            if self.elsewhere is not None and self.elsewhere.has(cast.actor.serial):
                self.engine.look_late(at_last=True)
                self.elsewhere.end_folder(cast.actor.serial)
        elif self._others and not self.engine.ledger.somebody_acts:  # what hooks did meanwhile is not the fixture's
            self.engine.look()
        if self.values is not None:
            self.values.use(definition.argnames)
        self.engine.ledger.enter(cast.actor)

    @careful
    def _fixture_is_down(self, cast: Cast) -> None:
        self.engine.leave(cast.actor)
        if self.engine.ledger.setting_up:  # another parameter's turn: it ends inside the next test's set-up
            owners = self._mine if cast.node is self._item else self._owners.get(cast.node, [cast.actor])
            owners.remove(cast.actor)
            self.engine.close(cast.actor)

    # --- claims

    def _arm(self, node: Node | None) -> None:
        """Claim at the end of each scope around the test: after its finalisers, before those of the next wider one."""
        while node is not None and node not in self._armed:
            try:
                node.addfinalizer(functools.partial(self._claim, node))
            except AssertionError:  # its set-up failed before it began: there is nothing to claim
                return
            self._armed.add(node)
            node = node.parent

    @careful
    def _claim(self, node: Node) -> None:
        self._claim_mine()
        self._armed.discard(node)
        self._parent = None
        owners = self._owners.pop(node, ())
        of_module = isinstance(node, pytest.Module)
        if owners or (of_module and self.engine.owes_a_close_look):
            self.engine.look(closely=True)
        if of_module:  # what is still different when its tests are over is found
            self.engine.look_far()
            self.engine.look_late()
        self._close(owners, node)

    @careful
    def _claim_mine(self) -> None:
        """The test is over, and so are the fixtures of its own."""
        mine, self._mine = self._mine, []
        if self._item is not None:
            self._close(mine, self._item)

    def _close(self, owners: Sequence[Actor], node: Node) -> None:
        if not self._interrupted:
            failed = bool(self._failed) and node.nodeid in self._failed
            for actor in owners:
                self.engine.close(actor, failed=failed and actor.kind != "fixture")
        self.engine.close_windows()

    # --- what goes home

    @careful
    def news(self) -> Watched | None:
        """What is new since the last time; None if nothing is."""
        self._claim_mine()
        claims = self.engine.claimed(self._sent)
        self._sent += len(claims)
        news = Watched(
            claims,
            self._slept(),
            self._contacts(),
            self._noticed(),
            lines=self.following.drain(),
            simulated=self.mocks.drain_failures(),
        )
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
            costs=dict(self.engine.costs),
            bodies={self.engine.source: self.engine.ledger.bodies},
            lines=self.following.drain(),
            simulated=self.mocks.drain_failures(),
        )

    def _watchers(self) -> dict[str, str]:
        files = f"off: {self.contact.files_off}" if self.contact.files_off else "on"
        return {
            **self.engine.watchers,
            "sleep": "on",
            "contact": "on",
            "credential files": files,
            WATCHER: self.following.state,
            "mocks": self.mocks.state,
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
            seconds=round(one.waited, 6),
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
        return (*self.outputs.drain(), *self.loads.drain(), *self.mocks.drain())

    @careful
    def finish(self) -> None:
        """The session is over: imports claim last."""
        self._claim_mine()
        if not self._interrupted:
            self.engine.look_late(at_last=True)
            self.engine.close_windows(at_last=True)
            for actor in self._imports:
                self.engine.close(actor)
        self.engine.stop()


def _nobody_asks(path: str) -> None:
    """Nobody wants to know."""


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
