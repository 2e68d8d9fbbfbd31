"""Put the watch together: taps before any conftest is imported, hooks once it is known that tests run here."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_secaudit.collected import Collector
from pytest_secaudit.focus import Focus
from pytest_secaudit.following import WATCHER, Following
from pytest_secaudit.reading import text_at
from pytest_secaudit.redact import clean
from pytest_secaudit.stage import Casting
from pytest_secaudit.testside import TestSide
from pytest_secaudit.watch.areas import Facts, areas_for
from pytest_secaudit.watch.clock import Clock
from pytest_secaudit.watch.contact import Contact
from pytest_secaudit.watch.engine import Engine
from pytest_secaudit.watch.loads import Loads
from pytest_secaudit.watch.mocks import Mocks
from pytest_secaudit.watch.outputs import Outputs
from pytest_secaudit.watch.parts import Parts
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.record import Watched
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps
from pytest_secaudit.watching import Watching

if TYPE_CHECKING:
    from pytest_secaudit.blind_log import BlindLog
    from pytest_secaudit.fixture_log import FixtureLog

_NAME = "secaudit-watch"


@dataclass(slots=True)
class Outfit:
    """The watch of one run, and how to end it."""

    collector: Collector
    taps: Taps
    hooks: Watching
    focus: Focus | None = None
    log: FixtureLog | None = None
    blind: BlindLog | None = None

    def is_one_of_several(self, worker: str) -> None:
        """The process has a name of its own among those of the run."""
        self.hooks.engine.source = worker

    def may_take(self, budget: float) -> None:
        """What looking into namespaces and files may add to the tests' run time, in per cent."""
        self.hooks.engine.may_take(budget)

    def log_fixtures(self, config: pytest.Config) -> None:
        """Note what each fixture costs and touches."""
        from pytest_secaudit.fixture_log import FixtureLog

        self.log = FixtureLog(self.hooks.casting, self.hooks.engine)
        config.pluginmanager.register(self.log, f"{_NAME}-fixtures")

    def follow_blind_spots(self, config: pytest.Config, test_side: TestSide) -> None:
        """Note what tests replace, and what of the project runs."""
        from pytest_secaudit.blind_log import BlindLog

        engine = self.hooks.engine
        patches: object = engine.areas.get(Patches.name)
        if isinstance(patches, Patches) and Patches.name not in engine.off:
            try:
                self.blind = BlindLog(config, patches, test_side, self.collector.relative, self.taps)
            except Exception as error:  # the rest of the watch goes on
                self.hooks.troubles.append(("blind spots", clean(f"{type(error).__name__}: {error}")))
            else:
                config.pluginmanager.register(self.blind, f"{_NAME}-blind-spots")

    def remember_in(self, folder: Path | None) -> None:
        """Look closely where the last run found something, and note what this one finds."""
        namespaces = self.hooks.namespaces
        if folder is not None and namespaces is not None:
            self.focus = Focus(folder, self.hooks.engine.source)
            namespaces.suspects = self.focus.read()

    def news(self) -> Watched | None:
        """What is new since the last time; None if nothing is."""
        return self.hooks.news()

    def rest(self) -> Watched:
        """The session is over: all claims as they stand in the end, and what was not handed out yet."""
        self.hooks.finish()
        if self.focus is not None and self.hooks.namespaces is not None:
            self.focus.write(self.hooks.namespaces.found_in)
        rest = self.hooks.rest()
        if self.log is not None:
            self.hooks.troubles.extend(self.log.troubles)
            rest = replace(rest or Watched(), fixtures_ran=self.log.told())
        if self.blind is not None:
            rest = self.blind.added_to(rest or Watched())
            self.hooks.troubles.extend(self.blind.troubles)
        return rest

    def take_back(self) -> None:
        """Leave the process as it was."""
        self.hooks.engine.stop()
        self.hooks.following.stop()
        self.hooks.contact.stop()
        if self.blind is not None:
            self.blind.stop()
        self.taps.take_back()


KEY = pytest.StashKey[Outfit]()


#: Why the watch could not begin.
FAILED = pytest.StashKey[str]()


def begin(config: pytest.Config) -> Outfit | None:
    """Start to watch, as early as pytest allows; a wrong setting is found later, by `options`.

    Whatever fails here is kept under `FAILED`: the run goes on, unwatched, and the report says so.
    """
    try:
        return _begin(config)
    except Exception as error:
        config.stash[FAILED] = clean(f"{type(error).__name__}: {error}")
        return None


def _begin(config: pytest.Config) -> Outfit | None:
    depth = _setting(config, "secaudit_depth") or ("exact" if _option(config, "secaudit_check_fixture") else "deep")
    if depth == "static" or _option(config, "collectonly"):
        return None
    collector = Collector(config)
    test_side = TestSide(config.rootpath)
    taps = Taps()
    stack = Stack(collector.relative, test_side)
    skip = frozenset(word for line in config.getini("secaudit_watch_skip") for word in line.replace(",", " ").split())
    facts = Facts(
        warnings_are_reset=config.pluginmanager.hasplugin("warnings"),
        random_is_reseeded=any(map(config.pluginmanager.hasplugin, ("randomly", "pytest_randomly"))),
        is_project=test_side.is_project,
        relative=collector.relative,
        test_path=lambda path: collector.relative(path) if test_side(path) else "",
        exact=depth == "exact",
        deep=depth in ("deep", "exact"),
        root=str(config.rootpath),
        is_ignored=_ignored(config),
    )
    engine = Engine(areas_for(taps, stack, facts), skip, exact=facts.exact)
    clock = Clock(taps, stack, engine.who)
    contact = Contact(taps, stack, engine.who, exact=facts.exact)
    engine.follow_threads()
    engine.source_of = functools.lru_cache(maxsize=16)(functools.partial(text_at, config.rootpath))
    stack.who = engine.who
    outputs = Outputs(taps, stack, engine.who)
    loads = Loads(taps, stack, engine.who, test_side.is_own)
    mocks = Mocks(taps, stack, engine.who, engine.source_of, off="by secaudit_watch_skip" if "mocks" in skip else "")
    hooks = Watching(engine, Casting(collector, test_side.at_home), clock, contact, outputs, loads, mocks)
    hooks.learn = test_side.learn
    hooks.adds_folders = _option(config, "importmode") != "importlib"
    hooks.parts = Parts(taps, hooks.part_begins)
    if WATCHER in skip:
        hooks.following = Following("by secaudit_watch_skip")
    outfit = config.stash[KEY] = Outfit(collector, taps, hooks)
    if _option(config, "secaudit_blindspots") or config.getini("secaudit_blindspots"):
        outfit.follow_blind_spots(config, test_side)
    config.pluginmanager.register(hooks, _NAME)
    config.add_cleanup(outfit.take_back)
    engine.look()
    return outfit


#: Options whose values are files or folders that pytest or a plugin writes.
_WRITTEN = ("basetemp", "xmlpath", "log_file", "debug", "cov_report_path", "htmlpath", "resultlog", "csv_path")


def _ignored(config: pytest.Config) -> Callable[[str], bool]:
    """Tells what pytest keeps for itself: temporary folders of tests, caches, reports."""
    values = [_option(config, name) for name in _WRITTEN]
    paths = [os.path.abspath(os.path.join(config.invocation_params.dir, str(value))) for value in values if value]
    ignored, root = tuple(paths), str(config.rootpath)

    def is_ignored(path: str) -> bool:
        return "pytest-of-" in path.removeprefix(root) or path.startswith(ignored)

    return is_ignored


def end(config: pytest.Config) -> None:
    """No test runs in this process: leave it alone."""
    outfit = config.stash.get(KEY, None)
    if outfit is not None:
        outfit.take_back()
        config.pluginmanager.unregister(name=_NAME)
        del config.stash[KEY]


def _option(config: pytest.Config, name: str) -> object:
    early = getattr(config, "known_args_namespace", None)
    return getattr(early, name, None) or getattr(config.option, name, None)


def _setting(config: pytest.Config, name: str) -> str:
    return str(_option(config, name) or config.getini(name) or "").strip()
