"""What a program that was started is called: its base name and nothing more, for arguments may hold secrets."""

from __future__ import annotations

import os
import re
import sys
from typing import Any

_WINDOWS = os.name == "nt"
_SHELL = "cmd" if _WINDOWS else "sh"
_WORD = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|(\S+))")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_PLAIN = re.compile(r"[^;&|<>(){}$`*?\[\]!#=]+")
_PYTHON = re.compile(r"python[\d.]*[dtw]?")
_TEMPORARY = re.compile(r"tmp[a-z0-9_]{8}(?:\.|$)")
_SYNTAX = frozenset(("case", "cd", "exec", "exit", "export", "for", "if", "set", "test", "until", "while"))
_LONGEST = 60


def popened(
    _popen: object,
    args: Any,
    _bufsize: object = None,
    executable: Any = None,
    _in: object = None,
    _out: object = None,
    _err: object = None,
    _before: object = None,
    _close: object = None,
    shell: object = None,
    *_: object,
    **__: object,
) -> str:
    """The program that `subprocess.Popen` starts: the arguments are those of its ``__init__``."""
    first = args if isinstance(args, (str, bytes, os.PathLike)) else args[0]
    if shell or (_WINDOWS and isinstance(args, str) and executable is None):
        return of_command(first)
    return of_path(executable or first)


def of_command(command: Any) -> str:
    """The first program of a shell's command line; the shell itself where that is hard to tell."""
    line = os.fsdecode(command)
    position = 0
    while word := _WORD.match(line, position):
        found = word[1] or word[2] or word[3] or ""
        if not _ASSIGNMENT.match(found):
            return of_path(found) if _PLAIN.fullmatch(found) and found not in _SYNTAX else _SHELL
        position = word.end()
    return _SHELL


def of_path(path: Any, *_: object) -> str:
    """The base name of a program; any Python is ``python``."""
    where = os.fsdecode(path)
    name = re.split(r"[\\/]" if _WINDOWS else "/", where)[-1]
    if _WINDOWS and name.lower().endswith(".exe"):
        name = name[:-4]
    if where == sys.executable or _PYTHON.fullmatch(name):
        return "python"
    if _TEMPORARY.match(name):  # of a name that is different each time
        return "a temporary file"
    return name[:_LONGEST] or _SHELL


def spawned(_mode: object, path: Any, *_: object) -> str:
    """The program that a function of the family of `os.spawnv` starts."""
    return of_path(path)
