"""Readings remembered between runs, by content.

One file: a line that says what it holds for and a hash of the rest, which is JSON. A reading holds only
if the file's bytes, the plugin's own code and that of other people's checks, Python and the conventions
for tests are the same; a file with anything else in it than we wrote is an empty cache, and a cache that
cannot be written costs nothing but its benefit.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_secaudit.conventions import Conventions
from pytest_secaudit.model import Check, Heading
from pytest_secaudit.reading import Reading, from_plain, to_plain

_MAIN = "static.cache"


def content_hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def catalogue_key(checks: Iterable[Heading], conventions: Conventions) -> str:
    """What a cached reading depends on beside the file: our code, the checks, Python, the conventions."""
    here = Path(__file__).parent
    code = sorted(
        (str(path.relative_to(here)), stat.st_size, stat.st_mtime_ns)
        for path in here.rglob("*.py")
        for stat in [path.stat()]
    )
    python = platform.python_implementation(), platform.python_version()
    parts = (code, [_identity(check) for check in checks], python, conventions.functions)
    return content_hash(repr(parts).encode())


def _identity(check: Heading) -> tuple[object, ...]:
    """A code; of a check that is not among our own files also what it is made of."""
    rule = check.rule if isinstance(check, Check) else None
    if rule is None:
        return (check.code,)
    from pytest_secaudit.made_of import made_of

    return check.code, check.severity, check.suspected, made_of(rule)


class ReadingCache:
    """The readings of earlier runs, and those made in this one.

    Args:
        folder: where the files go; None for no cache at all.
        key: see `catalogue_key`.
        part: the worker's id under xdist, where each process writes its own part.
    """

    def __init__(self, folder: Path | None, key: str, part: str = "") -> None:
        self._folder = folder
        self._key = key
        self._part = part
        self._new: dict[str, Any] = {}

    @functools.cached_property
    def _known(self) -> dict[str, Any]:
        """What earlier runs left, with parts of their workers that came too late to be joined."""
        if self._folder is None:
            return {}
        known = _load(self._folder / _MAIN, self._key)
        for part in _parts(self._folder):
            known.update(_load(part, self._key))
        return known

    def get(self, path: str, digest: str) -> Reading | None:
        """The reading of these very bytes at this path, if it is known."""
        entry = self._new.get(path) or self._known.get(path)
        if not isinstance(entry, list) or len(entry) != 2 or entry[0] != digest:
            return None
        try:
            reading = from_plain(entry[1])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            return None
        return reading if reading.path == path else None

    def put(self, digest: str, reading: Reading) -> None:
        self._new[reading.path] = [digest, to_plain(reading)]

    def rest(self) -> None:
        """Nobody asks for a while: what earlier runs left is read again when somebody does."""
        self.__dict__.pop("_known", None)

    def save(self) -> None:
        """Write what is new: a worker its own part, the main process everything."""
        if self._folder is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if not self._part:
                self._merge(self._folder)
            elif self._new:
                _write(self._folder / f"static-{self._part}.cache", self._key, self._new)

    def _merge(self, folder: Path) -> None:
        parts = _parts(folder)
        for part in parts:
            self._new.update(_load(part, self._key))
        if self._new:
            _write(folder / _MAIN, self._key, {**self._known, **self._new})
        for part in parts:
            part.unlink(missing_ok=True)


def _parts(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("static-*.cache"))
    except OSError:
        return []


def _head(key: str, body: bytes) -> bytes:
    return f"{key} {content_hash(body)}".encode()


def _load(path: Path, key: str) -> dict[str, Any]:
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        readings = json.loads(body) if head == _head(key, body) else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return readings if isinstance(readings, dict) else {}


def _write(path: Path, key: str, readings: dict[str, Any]) -> None:
    """Replace the file in one step: a reader sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = json.dumps(readings, separators=(",", ":")).encode("ascii")
    scratch = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(_head(key, body) + b"\n" + body)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
