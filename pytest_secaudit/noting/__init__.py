"""The notes of a file: one file of this package makes those of one dimension of a review."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

from pytest_secaudit.conventions import Conventions
from pytest_secaudit.notes import Note
from pytest_secaudit.noting.environment import environment
from pytest_secaudit.noting.failures import failures
from pytest_secaudit.noting.inputs import inputs
from pytest_secaudit.noting.patches import patches
from pytest_secaudit.noting.resources import resources
from pytest_secaudit.noting.services import services
from pytest_secaudit.noting.settings import settings
from pytest_secaudit.noting.waits import waits
from pytest_secaudit.reading import decode
from pytest_secaudit.redact import clean
from pytest_secaudit.source import TestModule

_NOTERS: tuple[Callable[[TestModule], Iterator[Note]], ...] = (
    environment,
    failures,
    inputs,
    settings,
    patches,
    resources,
    waits,
    services,
)


def notes_in(data: bytes, path: str, conventions: Conventions) -> tuple[Note, ...]:
    """The notes of a file by its bytes; none of one that cannot be read. Never raises for what is in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape sequence is not ours to report
            module = TestModule(path, decode(data), conventions)
        try:
            return tuple(map(_clean, notes(module)))
        finally:
            module.close()
    except Exception:  # the audit of the file says why it could not be read
        return ()


def _clean(note: Note) -> Note:
    marks = tuple(map(clean, note.marks))
    return replace(note, text=clean(note.text), subject=clean(note.subject), ends=clean(note.ends), marks=marks)


def notes(module: TestModule) -> tuple[Note, ...]:
    """Everything there is to note of a file, dimension by dimension, from top to bottom."""
    found = [note for noter in _NOTERS for note in noter(module)]
    return tuple(sorted(dict.fromkeys(found), key=lambda note: (note.dimension, note.lines, note.kind, note.text)))
