"""Which line wrote: the frames of a stack that matter.

Two lines are wanted. The exact one that wrote, wherever it is, but not in the machinery that everybody's write passes
through (the standard library, pytest and what runs tests for it, this package, what wraps everybody's blocking calls,
and code without a source file of its own). And the place to edit: the innermost frame in a test module, conftest or
test helper under the rootdir, or in a doctest.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Hashable
from types import FrameType
from typing import Any, Literal

from pytest_secaudit.model import Place
from pytest_secaudit.watch import real
from pytest_secaudit.watch.state import Site

Kind = Literal["machinery", "test", "other"]

_PYTEST = ("_pytest", "pytest", "pluggy", "pytest_mock")
_MACHINERY = (
    *_PYTEST, "blockbuster", "execnet", "fixtures", "hypothesis", "mock", "pytest_asyncio", "testtools", "xdist",
)  # fmt: skip


def _folders(*paths: str) -> tuple[str, ...]:
    return tuple({real.normcase(path) + real.separator for path in paths})


_STDLIB = _folders(
    os.path.dirname(os.__file__),
    os.path.dirname(threading.__file__),
)
_OURS = _folders(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: The last such folder counts: a project may itself lie in one. Debian has the other name.
_INSTALLED = re.compile(r".*[\\/](?:site|dist)-packages[\\/]([^\\/]+?)(?:\.py)?(?:[\\/]|$)", re.IGNORECASE | re.DOTALL)
_ZIPPED_STDLIB = re.compile(r"[\\/]python3\d+\.zip[\\/]", re.IGNORECASE)
#: The lines of what else has a name (a compiled template) are not those of the file.
_SOURCE = re.compile(r"(?:\.pyw?|[\\/][^.\\/]+)$", re.IGNORECASE)
_DOCTEST = re.compile(r"<doctest .*\[(\d+)\]>$", re.DOTALL)

_MAX_DEPTH = 500
_MAX_FILES = 10_000


class Stack:
    """Finds the sites of acts; remembers what each file is.

    Args:
        relative: a file name as the report writes it: from the rootdir, with ``/``.
        is_test_side: whether a file is a test module, conftest or test helper under the rootdir.

    Attributes:
        who: tells who acts, and whether in another thread than the one that runs the tests.
    """

    def __init__(self, relative: Callable[[str], str], is_test_side: Callable[[str], bool]) -> None:
        self._relative = relative
        self._is_test_side = is_test_side
        self._files: dict[str, tuple[Kind, str]] = {}
        files = (getattr(real.modules.get(name), "__file__", None) or "" for name in _PYTEST)
        homes = {os.path.dirname(file) for file in files if os.path.basename(file).startswith("__init__.")}
        self._machinery = (*_OURS, *_folders(*homes))
        self.who: Callable[[], tuple[Hashable, bool]] | None = None

    def site(self, depth: int = 1) -> Site:
        """The site of the act that the caller's caller (``depth`` 1) performs."""
        return self.of(real.getframe(depth + 1))

    def of(self, frame: FrameType | None) -> Site:
        """The site seen from this frame."""
        written: Place | None = None
        importing = ""
        known = self._files.get
        for _ in range(_MAX_DEPTH):
            if frame is None:
                break
            code = frame.f_code
            kind, path = known(code.co_filename) or self._file(code.co_filename)
            if kind == "test":
                place = self._place(path, frame)
                function = getattr(code, "co_qualname", code.co_name)  # the longer one since 3.11
                return Site(written or place, place, function, importing, self._by())
            if kind == "other":
                written = written or self._place(path, frame)
                if code.co_name == "<module>":
                    importing = importing or path
            frame = frame.f_back
        return Site(written, importing=importing, by=self._by())

    def kind(self, frame: FrameType) -> Kind:
        """What the code of this frame is."""
        return self._file(frame.f_code.co_filename)[0]

    def _by(self) -> Hashable | None:
        actor, in_thread = self.who() if self.who is not None else (None, False)
        return actor if in_thread else None

    def _place(self, path: str, frame: FrameType) -> Place:
        if path.startswith("<doctest "):
            return self._in_doctest(frame) or Place(path, frame.f_lineno or 0)
        return Place(path, frame.f_lineno or 0)

    def _in_doctest(self, frame: FrameType) -> Place | None:
        """The line of the file that the example stands in: doctest runs it from a function that knows."""
        example = _DOCTEST.match(frame.f_code.co_filename)
        runner: FrameType | None = frame
        while runner is not None and runner.f_code.co_filename.startswith("<doctest "):
            runner = runner.f_back
        if example is None or runner is None:
            return None
        test: Any = runner.f_locals.get("test")
        try:
            line = test.lineno + test.examples[int(example[1])].lineno + (frame.f_lineno or 0)
            return Place(self._relative(test.filename), line)
        except (AttributeError, IndexError, TypeError):
            return None

    def _file(self, name: str) -> tuple[Kind, str]:
        known = self._files.get(name)
        if known is None:
            if len(self._files) > _MAX_FILES:
                self._files.clear()
            known = self._files[name] = self._look_at(name)
        return known

    def _look_at(self, name: str) -> tuple[Kind, str]:
        if name.startswith("<doctest "):
            return "test", name
        if name.startswith("<") or not name or _is_zipped_stdlib(name):
            return "machinery", name
        path = name if real.isabs(name) else real.absolute(name)
        if self._is_machinery(real.normcase(path)):
            return "machinery", path
        return ("test" if self._is_test_side(path) else "other"), self._relative(path)

    def _is_machinery(self, path: str) -> bool:
        if path.startswith(self._machinery) or not _SOURCE.search(path):
            return True
        installed = _INSTALLED.match(path)
        return installed[1] in _MACHINERY if installed else path.startswith(_STDLIB)


def _is_zipped_stdlib(name: str) -> bool:
    """Whether this is a file of a standard library in a zip file, compiled where it was still a folder."""
    if real.isabs(name):
        return _ZIPPED_STDLIB.search(name) is not None
    top = re.split(r"[\\/]", name, maxsplit=1)[0].removesuffix(".py")
    return top in sys.stdlib_module_names and not real.is_there(real.absolute(name))
