"""Reads files once per process, through the cache, and keeps what they said."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from pytest_secaudit.cache import ReadingCache, content_hash
from pytest_secaudit.conventions import Conventions
from pytest_secaudit.model import Heading
from pytest_secaudit.no_gc import no_gc
from pytest_secaudit.reading import Reading, load
from pytest_secaudit.redact import clean

_clock = time.perf_counter  # tests freeze and fake the clock; ours must go on


class Reader:
    """The readings of this process, by path.

    Attributes:
        seconds: time spent reading so far.
    """

    def __init__(self, checks: Iterable[Heading], conventions: Conventions, cache: ReadingCache) -> None:
        self._headings = tuple(checks)
        self._conventions = conventions
        self._cache = cache
        self.seconds = 0.0
        self.readings: dict[str, Reading] = {}

    def read(self, path: Path, relative: str, module: ModuleType | None = None) -> Reading:
        """The reading of one file, made now or known already. Never raises."""
        known = self.readings.get(relative)
        if known is None:
            start = _clock()
            with no_gc():
                known = self.readings[relative] = self._read(path, relative, module)
            self.seconds += _clock() - start
        return known

    def rest(self) -> None:
        """All is read that the collection asks for."""
        self._cache.rest()

    def _read(self, path: Path, relative: str, module: ModuleType | None) -> Reading:
        try:
            data = _bytes_of(path, module)
        except Exception as error:  # an OSError, or whatever a foreign loader raises
            reason = getattr(error, "strerror", None) or error
            return Reading(relative, error=clean(f"cannot be read: {reason}"))
        digest = content_hash(data)
        reading = self._cache.get(relative, digest)
        if reading is None:
            reading = self._read_anew(data, relative)
            self._cache.put(digest, reading)
        return reading

    def _read_anew(self, data: bytes, relative: str) -> Reading:
        from pytest_secaudit.checks import whole  # a third of our code: not loaded where nothing is new
        from pytest_secaudit.rules import read

        return read(data, relative, map(whole, self._headings), self._conventions)


def _bytes_of(path: Path, module: ModuleType | None) -> bytes:
    try:
        return load(path)
    except (FileNotFoundError, NotADirectoryError):
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        get_data = getattr(loader, "get_data", None)  # a module inside a zip file
        if get_data is None:
            raise
        return bytes(memoryview(get_data(str(path))))  # raises for anything but bytes
