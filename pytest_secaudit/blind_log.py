"""Follows what tests replace and what of the project runs: for blind spots, and only where they were asked for."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from pytest_secaudit.blind import ANYTHING
from pytest_secaudit.blind_spots import WATCHER
from pytest_secaudit.careful import careful
from pytest_secaudit.reading import text_at
from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import is_module, names_of
from pytest_secaudit.testside import TestSide
from pytest_secaudit.watch import real, tool_ids
from pytest_secaudit.watch.blind import measuring
from pytest_secaudit.watch.blind.children import Children, packages_of
from pytest_secaudit.watch.blind.functions import body_of, security_of
from pytest_secaudit.watch.blind.measuring import Measured
from pytest_secaudit.watch.blind.record import (
    AND_OTHERS,
    OUTSIDE_OF_TESTS,
    ByLine,
    Executed,
    Replaced,
    start_key,
)
from pytest_secaudit.watch.blind.replacements import Replaced as Known
from pytest_secaudit.watch.blind.replacements import Replacements
from pytest_secaudit.watch.blind.starts import Start, Starts, checksum
from pytest_secaudit.watch.patches import Patches
from pytest_secaudit.watch.record import Watched
from pytest_secaudit.watch.tapping import Taps


class BlindLog:
    """The plugin that knows which test runs.

    Args:
        config: of the run.
        patches: tells of each patch.
        test_side: tells the product from its tests.
        relative: a file name as the report writes it.
        taps: what is put there is taken back by its owner.

    Attributes:
        off: why nobody can tell what ran; another process may.
        name_of: a file of the product as the report writes it; empty for any other.
    """

    def __init__(
        self,
        config: pytest.Config,
        patches: Patches,
        test_side: TestSide,
        relative: Callable[[str], str],
        taps: Taps,
    ) -> None:
        self.off = ""
        self.troubles: list[tuple[str, str]] = []
        self._config = config
        self._relative = relative
        self.name_of = name_of_product(test_side, relative)
        self._replacements = Replacements(patches, test_side.is_product, self._path_of)
        self._children = Children(taps, forks=tool_ids.monitoring is None)
        self._starts: Starts | None = None
        self._own: measuring.Own | None = None
        if tool_ids.monitoring is not None:
            self._starts = Starts(test_side.is_product)
            self.off = self._starts.off
        elif not is_measured(config):
            self._own = measuring.Own()
            self.off = self._own.off

    @pytest.hookimpl(trylast=True)
    @careful
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        from pytest_secaudit.by_hand import assigned

        for original, place, tests in assigned(session.items):
            self._replacements.by_hand(original, place, tests)
        if self._starts is not None:
            self._starts.tests_begin()
        if self._own is not None:
            self._own.tests_begin()

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        # For every test: nothing in it that could fail. What runs until the next one begins counts for this one.
        self._replacements.test_begins(nodeid, location)
        if self._starts is not None:
            self._starts.test = nodeid

    def _path_of(self, path: str) -> str:
        """As the report writes what pytest says relative to the rootdir."""
        return self._relative(os.path.join(self._config.rootpath, path))

    def stop(self) -> None:
        """Leave the process as it was."""
        self._replacements.stop()
        if self._starts is not None:
            self._starts.stop()
        if self._own is not None:
            self._own.stop()

    # --- what goes home

    def added_to(self, watched: Watched) -> Watched:
        """The same with what was replaced and what ran."""
        told: tuple[tuple[Replaced, ...], tuple[Executed, ...]] = ((), ())
        try:
            told = self.told()
        except Exception as error:  # what else was watched is not lost for that
            self.off = clean(f"the audit failed here: {type(error).__name__}: {error}")
        watchers = {**watched.watchers, WATCHER: f"off: {self.off}" if self.off else "on"}
        return replace(watched, replaced=told[0], executed=told[1], watchers=watchers)

    def told(self) -> tuple[tuple[Replaced, ...], tuple[Executed, ...]]:
        """Everything so far; a measurement of our own is over."""
        modules = dict(_modules_by_file(self.name_of))
        replaced = tuple(self._as_record(known, modules) for known in self._replacements.told())
        named = packages_of(self._children.words, lambda file: bool(self.name_of(file)))
        words = tuple(sorted({*named, *self._children.words & {ANYTHING}}))
        return replaced, tuple(self._executed(words))

    def _as_record(self, known: Known, modules: Mapping[str, str]) -> Replaced:
        code, qualname = known.found.code, known.found.qualname
        path = self.name_of(code.co_filename)
        module = modules.get(path, path.rpartition("/")[2].removesuffix(".py"))
        return Replaced(
            path=path,
            line=_line_of_def(text_at(self._config.rootpath, path), code.co_firstlineno),
            first=code.co_firstlineno,
            qualname=clean(qualname),
            body=body_of(code),
            word=security_of(code, qualname, module.rpartition(".")[2]),
            package=module.partition(".")[0],
            checksum=checksum(code),
            tests=tuple(sorted(map(clean, known.tests))),
            places=tuple(sorted(known.places, key=lambda place: (place.path, place.line))),
            with_class=known.with_class,
        )

    def _executed(self, words: tuple[str, ...]) -> Iterator[Executed]:
        if self._starts is not None and not self._starts.off:
            yield started(self._starts, self.name_of, words)
        elif self._own is not None:
            measured = self._own.read(self.name_of, str(self._config.invocation_params.dir))
            if measured is not None:
                yield as_record(measured, words)
        elif words:
            yield Executed(words=words)


def name_of_product(test_side: TestSide, relative: Callable[[str], str]) -> Callable[[str], str]:
    """Tells a file of the product as the report writes it; empty for any other."""

    @functools.cache
    def name_of(file: str) -> str:
        return relative(test_side.at_home(file)) if test_side.is_product(file) else ""

    return name_of


def is_measured(config: pytest.Config) -> bool:
    """Whether coverage measures this process, or will: pytest-cov begins after us, and with xdist even later."""
    options = getattr(config, "known_args_namespace", config.option)
    by_plugin = getattr(options, "cov_source", None) and not getattr(options, "no_cov", False)
    return bool(by_plugin) or measuring.current() is not None


def started(starts: Starts, name_of: Callable[[str], str], words: tuple[str, ...]) -> Executed:
    """What was heard of starts."""
    table = _Table()
    found: dict[str, dict[int, tuple[int, ...]]] = {}
    for start in list(starts.by_code.values()):
        path = name_of(start.code.co_filename)
        if path and (start.tests or start.outside):
            lines = found.setdefault(path, {})
            key = start_key(start.code.co_firstlineno, start.code.co_name)
            lines[key] = tuple(sorted({*lines.get(key, ()), *_who(start, table)}))
    return Executed(tests=table.tests, starts=found, knows_tests=True, words=words, forked=starts.forked)


def _who(start: Start, table: _Table) -> Iterator[int]:
    yield from map(table.number, start.tests)
    if start.outside:
        yield OUTSIDE_OF_TESTS
    if not start.is_whole:
        yield AND_OTHERS


def as_record(measured: Measured, words: tuple[str, ...] = ()) -> Executed:
    """What coverage measured."""
    table = _Table()
    lines: ByLine = {
        path: {line: tuple(sorted(map(table.number, tests))) for line, tests in found.items()}
        for path, found in measured.lines.items()
    }
    entered = {path: tuple(sorted(found)) for path, found in measured.entered.items()}
    return Executed(table.tests, None, lines, entered, measured.knows_tests, words)


class _Table:
    """Tests by number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, test: str) -> int:
        special = {"": OUTSIDE_OF_TESTS, measuring.ANY_TEST: AND_OTHERS}.get(test)
        return special if special is not None else self._numbers.setdefault(test, len(self._numbers))

    @property
    def tests(self) -> tuple[str, ...]:
        return tuple(map(clean, self._numbers))


def _modules_by_file(name_of: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    for name, module in list(real.modules.items()):
        file = names_of(module).get("__file__") if is_module(module) else None
        if type(file) is str and (path := name_of(file)):
            yield path, name


def _line_of_def(text: str, first: int) -> int:
    """The line of the ``def`` below the first decorator."""
    for number, line in enumerate(text.splitlines()[first - 1 :], first):
        if line.lstrip().startswith(("def ", "async def ")):
            return number
        if number > first and not line.strip():
            break
    return first
