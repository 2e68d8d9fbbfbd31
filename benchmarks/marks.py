"""What a broken function raises, for `blind_spots.py`, and a pytest plugin that says which files a run loaded.

Both go to a file beside this one, one line each. Copied under another name into a folder on the ``PYTHONPATH``,
so that child processes find it, too, and loaded with ``-p``, so that it is there before a test can get at
``sys.path``, the environment or ``os``.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest

#: Bound now: a suite may replace what it finds in modules.
_open, _write, _close = os.open, os.write, os.close
_PLACE = os.path.join(os.path.dirname(os.path.realpath(__file__)), "marks.txt")


def mark(text: str) -> None:
    """Opened for each line: a test may close what it did not open."""
    descriptor = _open(_PLACE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    _write(descriptor, f"{text}\n".encode(errors="backslashreplace"))
    _close(descriptor)


class Ran(BaseException):
    """A broken function ran; it is marked, whoever catches this.

    It is no `Exception`, for code under test catches those, no `SystemExit`, which tests of command lines expect,
    and no `KeyboardInterrupt`, which would end the run.
    """

    def __init__(self, number: int) -> None:
        mark(f"ran {number}")
        super().__init__(f"broken function {number} ran")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    mark_loaded()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Once more: what tests import."""
    mark_loaded()


def mark_loaded() -> None:
    for module in list(sys.modules.values()):
        file = vars(module).get("__file__") if issubclass(type(module), ModuleType) else None
        if type(file) is str:
            mark(f"loaded {os.path.realpath(file)}")
