"""Which functions of the project were started, by whom: a tool of `sys.monitoring`, beside any coverage.

Of a function that is not the project's, and of each while modules are imported, one start is enough: the tool switches
itself off for it. For the others it does so after a few, so that it is known which tests ran them if those are few.
"""

from __future__ import annotations

import inspect
import mmap
import os
import re
import zlib
from collections.abc import Callable
from contextlib import suppress
from types import CodeType
from typing import Any, Final

from pytest_secaudit.watch import real, tool_ids

_TOOL: Final = "pytest-secaudit: starts"
#: After so many starts of one function nobody counts any more.
_MOST: Final = 20
#: One byte for each function that a forked child may run: which one is told by a checksum.
_SHARED: Final = 1 << 18
_WRITTEN: Final = re.compile(rb"\x01")


class Start:
    """What is known of the starts of one function.

    Attributes:
        outside: it was started outside of any test: by an import, by a hook.
        tests: the tests during which it was started.
        is_whole: all of them are known.
    """

    __slots__ = ("code", "is_whole", "left", "outside", "tests")

    def __init__(self, code: CodeType) -> None:
        self.code = code  # kept: its id must not be used again
        self.left = _MOST
        self.outside = False
        self.tests: set[str] = set()
        self.is_whole = True


class Starts:
    """Hears of starts from the moment it is made.

    Args:
        is_product: whether a file is the project's, and not its tests'.

    Attributes:
        off: why it does not.
        test: the test that began last, or an empty string.
        is_importing: no test runs yet.
    """

    def __init__(self, is_product: Callable[[str], bool]) -> None:
        self.off = ""
        self.test = ""
        self.is_importing = True
        self.by_code: dict[int, Start] = {}
        self._is_product = is_product
        self._known: dict[str, bool] = {}
        self._process = real.getpid()
        self._shared = _shared_memory()
        self._tool = tool_ids.take(tool_ids.monitoring, _TOOL)
        if self._tool is None:
            self.off = tool_ids.NONE_FREE
            return
        events = tool_ids.monitoring.events
        self._disable = tool_ids.monitoring.DISABLE
        tool_ids.monitoring.register_callback(self._tool, events.PY_START, self._started)
        tool_ids.monitoring.set_events(self._tool, events.PY_START)

    def tests_begin(self) -> None:
        """What was started by imports is heard of anew."""
        self.is_importing = False
        if self._tool is not None:
            tool_ids.monitoring.restart_events()

    def stop(self) -> None:
        """Leave the process as it was."""
        tool, self._tool = self._tool, None
        monitoring = tool_ids.monitoring
        if tool is not None and monitoring.get_tool(tool) == _TOOL:
            monitoring.set_events(tool, 0)
            monitoring.register_callback(tool, monitoring.events.PY_START, None)
            monitoring.free_tool_id(tool)

    @property
    def forked(self) -> tuple[int, ...]:
        """The checksums of the functions that forked children started."""
        shared = self._shared[:] if self._shared is not None else b""
        return tuple(found.start() for found in _WRITTEN.finditer(shared))

    # Called in the middle of whatever runs: nothing here may raise.

    def _started(self, code: CodeType, _offset: int) -> object:
        try:
            file = code.co_filename
            is_product = self._known.get(file)  # asked for each function of the tests, and of everybody else
            if is_product is None:
                is_product = self._known[file] = self._is_product(file)
            if not is_product or not is_function(code):
                return self._disable
            start = self.by_code.get(id(code))
            if start is None:
                start = self.by_code[id(code)] = Start(code)
            return self._disable if self._is_enough(start, code) else None
        except Exception as error:
            self.off = f"the audit failed here: {type(error).__name__}"
            return self._disable

    def _is_enough(self, start: Start, code: CodeType) -> bool:
        if real.getpid() != self._process:
            if self._shared is not None:
                self._shared[checksum(code)] = 1
            return True
        if self.is_importing:
            start.outside = True
            return True
        if self.test:
            start.tests.add(self.test)
        else:
            start.outside = True
        start.left -= 1
        start.is_whole = start.left > 0
        return not start.is_whole


def _shared_memory() -> Any:
    """Memory that forked children write to and we read; None where nobody forks."""
    if hasattr(os, "fork"):
        with suppress(OSError, ValueError):
            return mmap.mmap(-1, _SHARED)
    return None


def is_function(code: CodeType) -> bool:
    """Not a module, a class body, a generator expression: these may begin in the line where a function does."""
    is_scope = code.co_name.startswith("<") and code.co_name != "<lambda>"
    return bool(code.co_flags & inspect.CO_OPTIMIZED) and not is_scope


def checksum(code: CodeType) -> int:
    """The number of the byte that stands for a function."""
    return zlib.crc32(f"{code.co_filename}:{code.co_firstlineno}:{code.co_name}".encode("utf-8", "replace")) % _SHARED
