"""What child processes may have run of the project: nobody counts there.

Programs are started for many reasons, mostly to run something else. What names a package of the project in its
arguments, or in a script that it is given, may run any function of that package; what runs tests, or Python code that
nobody can see, may run anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from pytest_secaudit.blind import ANYTHING
from pytest_secaudit.strangers import is_module, names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.tapping import Taps

__unittest = True

_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_PYTHON: Final = re.compile(r"(?:python|pypy)[\w.]*(?:\.exe)?$", re.IGNORECASE)
#: These run what their arguments say.
_RUN_OTHERS: Final = frozenset(
    "bash cmd dash env hatch make nice pdm pipx poetry sh sudo timeout uv uvx xargs zsh".split()
)
#: These look at an interpreter that they are given, as `platform.architecture` has it done, and run nothing.
_LOOK_AT: Final = frozenset("cp file ldd ln ls otool readelf readlink realpath rm stat strings which".split())
_RUNS_ANYTHING: Final = frozenset("coverage multiprocessing nose2 pytest tox nox unittest runpy trial".split())
_MOST_BYTES: Final = 200_000
_MOST_FILES: Final = 4
_MOST_WORDS: Final = 100_000

_open = real.own(open)


class Children:
    """Hears of programs that are started.

    Args:
        taps: what is put there is taken back by its owner.
        forks: what the child of `os.fork` runs is not heard of either.

    Attributes:
        words: every name in what was started, and in the scripts that it was given.
    """

    def __init__(self, taps: Taps, *, forks: bool) -> None:
        self.words: set[str] = set()
        if forks:
            taps.put(os, "fork", self._around(lambda: [sys.executable, "-"]))
        taps.put(subprocess.Popen, "__init__", self._around(lambda _self, args, *_, **__: args))
        taps.put(os, "system", self._around(lambda command: command))
        for name in ("posix_spawn", "posix_spawnp"):
            taps.put(os, name, self._around(lambda path, argv, *_, **__: [path, *argv]))
        for name in ("spawnv", "spawnve", "spawnvp", "spawnvpe"):
            taps.put(os, name, self._around(lambda _mode, path, argv, *_: [path, *argv]))

    def _around(self, arguments: Callable[..., Any]) -> Callable[..., Any]:
        def starting(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            __tracebackhide__ = True
            with suppress(Exception):
                if len(self.words) < _MOST_WORDS:
                    self.words |= words_of(arguments(*args, **kwargs))
            return original(*args, **kwargs)

        return starting


def packages_of(words: Collection[str], is_product: Callable[[str], bool]) -> Iterator[str]:
    """The packages that are loaded here and named there.

    A namespace package is so only with something of the project's in it: ``google`` is everybody's.
    """
    for name in sorted({name.partition(".")[0] for name in list(real.modules)}.intersection(words)):
        inside = _own_in_namespace(real.modules.get(name), is_product)
        if inside is None or not inside.isdisjoint(words):
            yield name


def _own_in_namespace(package: Any, is_product: Callable[[str], bool]) -> set[str] | None:
    """What the project has in a namespace package; None for any other module."""
    names: Mapping[str, Any] = names_of(package) if is_module(package) else {}
    if type(names.get("__file__")) is str or "__path__" not in names:
        return None
    with suppress(Exception):
        folders = [folder for folder in names["__path__"] if is_product(os.path.join(folder, "__init__.py"))]
        return {entry.partition(".")[0] for folder in folders for entry in real.listdir(folder)}
    return None


def words_of(command: object) -> set[str]:
    """The names in a command that runs code, and in the scripts that it is given; `ANYTHING` if that may be any code.

    Args:
        command: a line for a shell, or a program and its arguments.
    """
    is_line = type(command) not in (list, tuple)
    parts = _text(command).split() if is_line else [_text(part) for part in command]  # type: ignore[attr-defined]
    if not parts:
        return set()
    if _last(parts[0]) in _RUNS_ANYTHING:
        return {ANYTHING}
    if not is_line and _last(parts[0]) in _LOOK_AT:
        return set()
    programs = [number for number, part in enumerate(parts) if _PYTHON.fullmatch(_last(part))]
    script = _script(parts[0])
    if script is not None and script.startswith("#!") and "python" in script[:200]:
        programs.insert(0, 0)
    if not programs and not is_line and not (script or "").startswith("#!") and _last(parts[0]) not in _RUN_OTHERS:
        return set(_WORD.findall(_last(parts[0])))
    scripts = [text for part in parts if (text := _script(part)) is not None][:_MOST_FILES]
    found = {word for text in (*map(_last, parts), *scripts) for word in _WORD.findall(text)}
    if programs and not _RUNS_ANYTHING.isdisjoint(found):
        found.add(ANYTHING)
    if programs and not scripts and _reads_from_elsewhere(parts[programs[-1] + 1 :]):
        found.add(ANYTHING)
    return found


def _last(part: str) -> str:
    """Of a path its last part: its folders are named after the project often enough."""
    return part if any(map(str.isspace, part)) else re.split(r"[\\/]", part)[-1]


def _reads_from_elsewhere(arguments: list[str]) -> bool:
    """Whether Python is given no code to see: it comes from its standard input, or a file that is not there yet."""
    return not any(part[:2] in ("-c", "-m", "-V", "-h") or part in ("--version", "--help") for part in arguments)


def _script(part: str) -> str | None:
    """The text of a file that is given as an argument, if it is one."""
    if not part or part == sys.executable or part.startswith("-") or "\0" in part:
        return None
    with suppress(OSError, ValueError), _open(part, "rb") as file:
        data: bytes = file.read(_MOST_BYTES)
        return None if b"\0" in data else data.decode("utf-8", "replace")
    return None


def _text(part: object) -> str:
    with suppress(Exception):
        part = real.fspath(part)  # type: ignore[call-overload]
    if type(part) is bytes:
        return part.decode("utf-8", "replace")
    return part if type(part) is str else ""
