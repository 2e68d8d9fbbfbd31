"""`no_leaks`: fails with what a block of code left changed in the process.

A context manager and a decorator, in tests, fixtures and plain Python, with or without ``--secaudit``. What is watched
and how stands in `pytest_secaudit.watch.block`; here is what users hold in their hands.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar, cast, final

from pytest_secaudit.reading import text_at
from pytest_secaudit.redact import clean
from pytest_secaudit.relative import relative_to_root
from pytest_secaudit.testside import TestSide
from pytest_secaudit.watch import real
from pytest_secaudit.watch.areas import OF_A_BLOCK, OF_A_BLOCK_IF_ASKED, Facts
from pytest_secaudit.watch.block import Block, Leak

__all__ = ["Leak", "Leaked", "NoLeaks", "Secaudit", "no_leaks"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: What stands in the folder of a project, beside its code.
_OF_A_PROJECT = ("pyproject.toml", "pytest.ini", "setup.cfg", "setup.py", "tox.ini", ".git")
_PASSED_ON_BY = frozenset(("contextlib", __name__))


class Leaked(AssertionError):
    """A block left something changed.

    Attributes:
        left: what.
    """

    def __init__(self, left: tuple[Leak, ...]) -> None:
        super().__init__(_told(left))
        self.left = left

    def __reduce__(self) -> tuple[Any, ...]:
        return Leaked, (self.left,)


@final
class NoLeaks:
    """Made by `no_leaks`.

    Attributes:
        left: what the block left, once it is over.
        not_watched: the areas that could not be watched, and why, once it is over.
    """

    def __init__(self, areas: tuple[str, ...], root: Path | None = None) -> None:
        for name in areas:
            if name not in OF_A_BLOCK and name not in OF_A_BLOCK_IF_ASKED:
                accepted = ", ".join(sorted((*OF_A_BLOCK, *OF_A_BLOCK_IF_ASKED)))
                raise ValueError(f"no_leaks: {name!r} is no area; accepted: {accepted}")
        self.left: tuple[Leak, ...] = ()
        self.not_watched: dict[str, str] = {}
        self._areas = areas
        self._root = root
        self._block: Block | None = None
        self._forget_set_ups: Callable[[], object] = _nothing

    # --- a block

    def __enter__(self) -> NoLeaks:
        frame = _user(real.getframe(1))
        self._begin(frame, frame.f_code, frame.f_lineno)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._end(error)

    async def __aenter__(self) -> NoLeaks:
        frame = _user(real.getframe(1))
        self._begin(frame, frame.f_code, frame.f_lineno)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._end(error)

    def _begin(self, frame: FrameType, code: CodeType, line: int | None) -> None:
        if self._block is not None:
            raise RuntimeError("no_leaks: this block has begun already; make another with no_leaks()")
        self.left, self.not_watched = (), {}
        root = self._root or _project_of(code.co_filename)
        self._block = block = _block(self._areas or OF_A_BLOCK, root, code, line)
        if "pytest" in real.modules:
            from pytest_secaudit.setups import follow

            self._forget_set_ups = follow(block.somebody_else, frame)
        block.begin()

    def _end(self, error: BaseException | None) -> None:
        __tracebackhide__ = True
        block, self._block = self._block, None
        if block is None:
            return
        self._forget_set_ups()
        self.left = block.end()
        self.not_watched = block.not_watched
        if error is not None:
            if self.left:
                _add_note(error, _told(self.left))
            return
        if self.left:
            raise Leaked(self.left)
        blind = [f"{name} ({why})" for name, why in self.not_watched.items() if name in self._areas]
        if blind:
            raise RuntimeError(f"no_leaks cannot tell: not watched: {', '.join(blind)}")

    # --- a function

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """The function, each of whose calls is a block of its own."""
        if inspect.isasyncgenfunction(function):
            raise TypeError("no_leaks cannot decorate an asynchronous generator: write `with no_leaks():` inside it")
        if not callable(function) or isinstance(function, (type, staticmethod, classmethod)):
            raise TypeError(f"no_leaks decorates functions, not {function!r}; put it below @staticmethod and the like")
        if inspect.iscoroutinefunction(function):
            return cast("Callable[_P, _R]", self._of_coroutine(function))
        if inspect.isgeneratorfunction(function):
            return cast("Callable[_P, _R]", self._of_generator(function))

        @functools.wraps(function)
        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            __tracebackhide__ = True
            with self._around(function):
                return function(*args, **kwargs)

        return guarded

    def _of_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with self._around(function):
                return await function(*args, **kwargs)

        return guarded

    def _of_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            __tracebackhide__ = True
            with self._around(function):
                return (yield from function(*args, **kwargs))

        return guarded

    def _around(self, function: Callable[..., Any]) -> _Call:
        return _Call(NoLeaks(self._areas, self._root), function)


class _Call:
    """One call of a decorated function: the block is all of its code."""

    def __init__(self, made: NoLeaks, function: Callable[..., Any]) -> None:
        self._made = made
        code = getattr(inspect.unwrap(function), "__code__", None)
        self._code: CodeType = code if type(code) is CodeType else self.__init__.__code__  # type: ignore[misc]

    def __enter__(self) -> None:
        self._made._begin(real.getframe(1), self._code, None)  # noqa: SLF001 - it is half of the same thing

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        __tracebackhide__ = True
        self._made._end(error)  # noqa: SLF001


def no_leaks(*areas: str) -> NoLeaks:
    """Fail if the block, or the function, leaves something changed in the process.

    ``with no_leaks():`` or ``@no_leaks()``, with the names of areas to watch these alone: ``no_leaks("environ", "cwd")``.
    An exception of the body goes on as it is, with a note of what was left.

    Raises:
        ValueError: for a name that is no area.
        Leaked: an `AssertionError`, at the end of the block.
    """
    return NoLeaks(areas)


class Secaudit:
    """What the fixture ``secaudit`` offers.

    Args:
        root: the rootdir, from which paths are named.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def no_leaks(self, *areas: str) -> NoLeaks:
        """Fail if the block, or the function, leaves something changed: see `pytest_secaudit.no_leaks`."""
        return NoLeaks(areas, self._root)


# --- one block


def _block(names: tuple[str, ...], root: Path, code: CodeType, line: int | None) -> Block:
    test_side = TestSide(root)
    file = os.path.abspath(code.co_filename)
    test_side.learn(file)
    real_root = root.resolve()
    relative = functools.lru_cache(maxsize=None)(lambda path: clean(relative_to_root(path, root, real_root)))
    source_of = functools.lru_cache(maxsize=4)(functools.partial(text_at, root))
    path = relative(file) if os.path.exists(file) else ""
    facts = Facts(
        warnings_are_reset=False,
        random_is_reseeded=False,
        is_project=test_side.is_project,
        relative=relative,
        test_path=lambda path: relative(path) if test_side(path) else "",
        exact=True,
        deep=not set(names).isdisjoint(OF_A_BLOCK_IF_ASKED),
        root=str(root),
        is_ignored=lambda path: "pytest-of-" in path.removeprefix(str(root)) or "__pycache__" in path,
        whoever_holds=True,
    )
    first = 0 if code.co_name == "<module>" else code.co_firstlineno
    return Block(names, facts, test_side, source_of, path, first, functools.partial(_holds, source_of, path, line))


def _holds(source_of: Callable[[str], str], path: str, block: int | None, line: int) -> bool:
    """Whether a line belongs to the ``with`` that begins in another; to a whole function if that is None."""
    if block is None:
        return True
    statements = (one for one in ast.walk(ast.parse(source_of(path))) if isinstance(one, (ast.With, ast.AsyncWith)))
    return any(one.lineno <= block <= one.body[0].lineno and line in _lines(one) for one in statements)


def _lines(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _nothing() -> None:
    """There is no run whose fixtures are set up."""


def _user(frame: FrameType) -> FrameType:
    """Whose block it is: not `contextlib`, which enters it for somebody."""
    while frame.f_globals.get("__name__") in _PASSED_ON_BY and frame.f_back is not None:
        frame = frame.f_back
    return frame


@functools.lru_cache(maxsize=100)
def _project_of(file: str) -> Path:
    """The folder of the project that a file belongs to; its own folder if there is no sign of one."""
    folder = Path(os.path.abspath(file)).parent
    for above in (folder, *folder.parents):
        if any(real.is_there(real.join(str(above), name)) for name in _OF_A_PROJECT):
            return above
    return folder


# --- words


def _told(left: tuple[Leak, ...]) -> str:
    things = "1 thing" if len(left) == 1 else f"{len(left)} things"
    return "\n".join((f"the block left {things} changed:", *_indented(left)))


def _indented(left: tuple[Leak, ...]) -> Iterator[str]:
    for leak in left:
        yield "\n".join(f"  {line}" for line in leak.text.splitlines())


def _add_note(error: BaseException, text: str) -> None:
    """As `BaseException.add_note` does from Python 3.11 on; pytest shows these on 3.10, too."""
    try:
        noted: Any = error
        notes = getattr(noted, "__notes__", None)
        noted.__notes__ = [*notes, text] if isinstance(notes, list) else [text]
    except Exception:  # its class allows no attributes: it goes on as it is
        return
