"""Where a file waits for real time."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_secaudit.notes import Note
from pytest_secaudit.noting.places import lines_of
from pytest_secaudit.source import TestModule
from pytest_secaudit.source.acknowledgement import acknowledgement
from pytest_secaudit.source.sleeping import sleeps


def waits(module: TestModule) -> Iterator[Note]:
    """Each sleep, with the comment that explains it."""
    for sleep in sleeps(module):
        said = acknowledgement(module, sleep.scope, sleep.call)
        yield Note(7, "sleep", lines_of(sleep.call), sleep.length, marks=(said,) if said else ())
