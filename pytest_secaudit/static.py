"""The static half of a run: which files the collected tests stand on, read and settled."""

from __future__ import annotations

import inspect
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import GetSetDescriptorType, ModuleType

import pytest

from pytest_secaudit.carrying import Cargo
from pytest_secaudit.collected import Collector, File, Group, qualname_of
from pytest_secaudit.model import NotAudited
from pytest_secaudit.notes import Note
from pytest_secaudit.policy import Placed
from pytest_secaudit.reader import Reader
from pytest_secaudit.reading import Reading, cleaned
from pytest_secaudit.suppressions import MARKER, Suppression, marker_suppression

Progress = Callable[[int, int], None]

#: Where the watch finds what was read: it is put together before anybody knows which files there are.
KEY = pytest.StashKey["StaticHalf"]()

_clock = time.perf_counter


class StaticHalf:
    """Reads and settles the files behind the items of one process, each once."""

    def __init__(
        self,
        collector: Collector,
        reader: Reader,
        *,
        time_limit: bool = False,
        note: Callable[[Path, str, ModuleType | None], tuple[Note, ...]] | None = None,
    ) -> None:
        self._collector = collector
        self._time_limit = time_limit
        self._note = note
        self._reader = reader
        self._sent: set[str] = set()
        self._said_not_audited = False
        self._paths_by_test: dict[str, tuple[str, ...]] = {}
        self._groups: defaultdict[int, list[Group]] = defaultdict(list)

    def collect(self, items: Iterable[pytest.Item]) -> None:
        """Take in the collected items; nothing is read yet."""
        items = list(items)
        self._collector.add(items)
        self._paths_by_test = {}
        self._groups.clear()
        if items:
            items[0].config.stash[KEY] = self

    def everything(self, progress: Progress) -> Cargo:
        """All files, read now."""
        cargo = self._cargo(list(self._collector.found.files), progress)
        self._reader.rest()
        return cargo

    @property
    def files(self) -> list[File]:
        """Those behind the collected items, with the modules that they became."""
        return list(self._collector.found.files.values())

    def stood_on(self, item: pytest.Item) -> Iterator[tuple[Reading, ModuleType | None]]:
        """The files that a test stands on and that were read, its own first, with the modules they became."""
        for path in self._paths_beside(item):
            reading = self._reader.readings.get(path)
            if reading is not None:
                yield reading, self._collector.found.files[path].module

    def _paths_beside(self, item: pytest.Item) -> tuple[str, ...]:
        """Asked once for each class and module: by its collector, of which there are fewer than tests."""
        if not self._groups:
            for group in (group for groups in self._collector.found.groups.values() for group in groups):
                self._groups[id(group.parent)].append(group)
        mine = self._groups.get(id(item.parent), ())
        return next((group.paths for group in mine if any(one is item for one in group.items)), ())

    def cargo_of(self, test: str) -> Cargo | None:
        """The files that a test stands on, if they were not handed out before."""
        paths = [path for path in self._paths_of(test) if path not in self._sent]
        return self._cargo(paths) if paths else None

    def _paths_of(self, test: str) -> tuple[str, ...]:
        """Only a worker of xdist asks test by test."""
        if not self._paths_by_test:
            self._paths_by_test = self._collector.found.paths_by_test()
        return self._paths_by_test.get(test, ())

    def rest(self, number: int, count: int) -> Cargo:
        """This worker's share of the files that it has not handed out: those whose turn is ``number``."""
        paths = [path for path in self._collector.found.files if path not in self._sent]
        return self._cargo([path for path in paths if zlib.crc32(path.encode()) % count == number])

    def _cargo(self, paths: list[str], progress: Progress | None = None) -> Cargo:
        before = self._reader.seconds
        self._sent.update(paths)
        self._read(list(dict.fromkeys(needed for path in paths for needed in self._needed(path))), progress)
        started = _clock()
        readings = tuple(map(self._settled, paths))
        markers = tuple(marker for path in paths for marker in self._live_markers(path))
        notes = {path: self._noted(path) for path in paths} if self._note is not None else {}
        seconds = self._reader.seconds - before + _clock() - started
        return Cargo(readings, markers, self._not_audited(), seconds, notes=notes)

    def _noted(self, path: str) -> tuple[Note, ...]:
        """What a review says of the file; only for a review, since it is read once more for that."""
        file = self._collector.found.files[path]
        return self._note(file.path, path, file.module) if self._note is not None else ()

    def _read(self, paths: list[str], progress: Progress | None) -> None:
        shown = 0.0
        started = _clock()
        for done, path in enumerate(paths):
            file = self._collector.found.files[path]
            self._reader.read(file.path, path, file.module)
            now = _clock()
            if progress and now - started > 1 and now - shown > 0.1:
                progress(done, len(paths))
                shown = now
        if progress and shown:
            progress(len(paths), len(paths))

    def _not_audited(self) -> tuple[NotAudited, ...]:
        if self._said_not_audited:
            return ()
        self._said_not_audited = True
        return tuple(sorted(self._collector.found.not_audited, key=lambda item: item.path))

    # --- what surrounds a file

    def _needed(self, path: str) -> Iterator[str]:
        """The file and those whose fixtures may be in effect in it: the same in every process."""
        yield path
        yield from self._collector.found.companions.get(path, ())
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            conftest = f"{folder}/conftest.py" if folder else "conftest.py"
            if conftest in self._collector.found.files:
                yield conftest

    def _settled(self, path: str) -> Reading:
        reading = self._reader.readings[path]
        if not any(hit.unless or hit.only_if for hit in reading.hits):
            return reading
        from pytest_secaudit.settling import settled  # most files leave no question open

        readings = [self._reader.readings[needed] for needed in dict.fromkeys(self._needed(path))]
        return settled(reading, self._collector.found, readings, time_limit=self._time_limit)

    # --- ignores that only items know (pytest.param, markers added by hooks)

    def _live_markers(self, path: str) -> Iterator[Placed]:
        groups = self._collector.found.groups.get(path, ())
        if not any(map(_is_marked, groups)):
            return
        written = {_said(suppression) for suppression in self._reader.readings[path].suppressions}
        by_function: dict[str, list[list[Suppression]]] = defaultdict(list)
        for item in (item for group in groups for item in group.items):
            marks = [_from_item(item, mark) for mark in item.iter_markers(MARKER)]
            by_function[qualname_of(item)].append([mark for mark in marks if _said(mark) not in written])
        for per_item in by_function.values():
            # A finding is about the function: the ignore holds if every parameter set carries it.
            for suppression in per_item[0]:
                if all(_said(suppression) in map(_said, others) for others in per_item):
                    yield Placed(path, suppression)


def _is_marked(group: Group) -> bool:
    """Whether an item of the group, or a collector around it, carries our marker."""
    around = group.parent.iter_parents() if group.parent is not None else ()
    lists = [node.own_markers for node in (*around, *group.items) if node.own_markers]
    return any(mark.name == MARKER for marks in lists for mark in marks)


def _said(suppression: Suppression) -> tuple[object, ...]:
    return (suppression.codes, suppression.reason, suppression.until)


def _from_item(item: pytest.Function, mark: pytest.Mark) -> Suppression:
    code = inspect.getattr_static(item.function, "__code__", None)
    code = getattr(item.function, "__code__", None) if type(code) is GetSetDescriptorType else None
    first = code.co_firstlineno if code is not None else 1
    lines = [line for *_, line in code.co_lines() if line] if code is not None else []
    test = item.nodeid.partition("::")[2].partition("[")[0]
    return cleaned(marker_suppression(mark.kwargs, first, first, max([first, *lines]), test))
