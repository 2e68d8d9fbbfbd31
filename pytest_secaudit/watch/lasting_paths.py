"""Paths as every machine has them: below the rootdir, the folder for temporary files, or that of installed packages."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

from pytest_secaudit.watch import real

ROOTDIR = "<rootdir>"
#: As it is when we are loaded: tests change it.
_FOLDERS = tuple({os.path.join(path, "") for path in (tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir()))})


def in_the_temporary_folder(path: str) -> str:
    """``<tmp>/name`` for a file or folder in there, an empty string for others."""
    folder = next((folder for folder in _FOLDERS if path.startswith(folder)), "")
    return f"<tmp>/{path[len(folder) :].replace(os.sep, '/')}" if folder else ""


def from_the_rootdir(path: str, relative: Callable[[str], str]) -> str:
    """The path, named from the rootdir or from the temporary folder where it is below one of them.

    Args:
        path: anything; what is no absolute path is given back.
        relative: a file name as the report writes it.
    """
    if not real.isabs(path):
        return path
    shown = relative(path)
    if shown == ".":
        return ROOTDIR
    is_below = not real.isabs(shown) and not shown.startswith(("../", "<")) and shown != ".."
    return f"{ROOTDIR}/{shown}" if is_below else in_the_temporary_folder(path) or path


def as_everywhere(path: str, relative: Callable[[str], str]) -> str:
    """The same, with the files of installed packages named from where these are.

    Args:
        path: anything; what is no absolute path is given back.
        relative: a file name as the report writes it.
    """
    shown = relative(path) if real.isabs(path) else path
    return shown if shown.startswith("<") else from_the_rootdir(path, relative)
