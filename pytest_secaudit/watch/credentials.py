"""Files that hold the user's own credentials, and who opens them.

Only an audit hook sees every way to open a file. It cannot be removed and slows down everything that is audited, so it
is installed at the exact depth only, once per process, and dead as soon as nobody listens.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from pytest_secaudit.watch import real

_FILES = (
    ".aws/credentials",
    ".docker/config.json",
    ".kube/config",
    ".netrc",
    ".pypirc",
    "_netrc",
)
_FOLDERS = (".config/gcloud/", ".ssh/")
_SYSTEM = ("/etc/shadow",)

#: Called with the name of a credential file, as it is opened.
Listener = Callable[[str], None]

_listeners: list[Listener] = []
_hooks: list[object] = []


def listen(listener: Listener) -> str:
    """Tell the listener of each credential file that is opened from now on; why not, if that cannot be."""
    if not hasattr(sys, "addaudithook"):
        return "not on this Python"
    _listeners.append(listener)
    if not _hooks:
        _hooks.append(_hook)
        sys.addaudithook(_hook)
    return ""


def forget(listener: Listener) -> None:
    """Tell it no more."""
    if listener in _listeners:
        _listeners.remove(listener)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if event != "open" or not _listeners:
        return
    try:
        name = name_of(args[0], args[2])
        if name is not None:
            _listeners[-1](name)
    except Exception:
        return


def _homes() -> tuple[str, ...]:
    home = os.path.expanduser("~")
    return tuple({path.rstrip("\\/") + real.separator for path in (home, os.path.realpath(home))} - {real.separator})


#: As they are when the run begins: what a test calls its home is not the user's.
_HOMES = _homes()


def name_of(path: object, flags: object) -> str | None:
    """How a credential file is named in the report; None for every other file, and for one that is not there."""
    if type(path) is bytes:
        path = path.decode("utf-8", "surrogateescape")
    if type(path) is not str or not path.startswith((*_HOMES, "/etc/")):
        return None
    name = _name_of(path)
    return name if name is not None and (_creates(flags) or real.is_there(path)) else None


def _name_of(path: str) -> str | None:
    if path in _SYSTEM:
        return path
    for home in _HOMES:
        if path.startswith(home):
            inside = path[len(home) :].replace(real.separator, "/")
            if inside in _FILES or inside.startswith(_FOLDERS):
                return f"~/{inside}"
    return None


def _creates(flags: object) -> bool:
    return type(flags) is int and bool(flags & os.O_CREAT)
