"""Our own references, taken before any test runs: tests freeze the clock, fake `os` and mock `threading` while we look.

freezegun and pyfakefs go through every loaded module and replace what *is* `time.perf_counter` or `os.stat` there. They
do not see a function inside a `functools.partial`, which costs a few nanoseconds.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")


def own(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """The function, out of sight of those who replace it in all modules."""
    return functools.partial(function)


perf_counter = own(time.perf_counter)
time_ns = own(time.time_ns)
sleep = own(time.sleep)
get_ident = own(threading.get_ident)
new_lock = own(threading.Lock)
main_thread = threading.main_thread()
getpid = own(os.getpid)
getcwd = own(os.getcwd)
fspath = os.fspath  # a pure function that nobody fakes; overloaded, which `own` would hide
stat = own(os.stat)
listdir: Callable[[str], list[str]] = own(os.listdir)
readlink: Callable[[str], str] | None = own(os.readlink) if hasattr(os, "readlink") else None
modules = sys.modules
separator = os.sep
isabs: Callable[[str], bool] = own(os.path.isabs)
join: Callable[[str, str], str] = own(os.path.join)
normcase: Callable[[str], str] = own(os.path.normcase)


def is_there(path: str) -> bool:
    """Whether there is anything of this name."""
    try:
        stat(path)
    except (OSError, ValueError):
        return False
    return True


def absolute(path: str) -> str:
    """The absolute form of a path, also where the current folder was deleted."""
    try:
        return join(getcwd(), path)
    except OSError:
        return path


getframe = sys._getframe  # noqa: SLF001 - documented, if for "internal and specialized purposes"; `inspect` stands on it
