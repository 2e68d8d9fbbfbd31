"""Whose line wrote: an installed library's, or somebody else's."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from functools import cache
from site import getsitepackages

from pytest_secaudit.strangers import names_of
from pytest_secaudit.watch import real
from pytest_secaudit.watch.state import Site

#: Around our own bookkeeping within somebody's call: what goes wrong with us is no affair of theirs.
QUIETLY = suppress(Exception)
#: As the report writes it, or of an environment that lies under the rootdir.
_INSTALLED = re.compile(r"(?:^<|.*/)(?:site|dist)-packages>?/([^/]+)")
_PACKAGES = tuple(os.path.join(folder, "") for folder in getsitepackages())


def library(site: Site | None) -> str:
    """The installed package whose line wrote, by its top-level name; empty for everybody else."""
    if site is None or site.written_at is None:
        return ""
    path = site.written_at.path
    installed = _INSTALLED.match(path)
    if installed is None and (site.edit is None or _top(site.edit.path) != _top(path)) and _is_installed(path):
        return _top(path)  # the rootdir is where packages are installed: what is not the tests' own is a library
    return installed[1].removesuffix(".py") if installed else ""


def _top(path: str) -> str:
    return path.partition("/")[0].removesuffix(".py")


def _is_installed(path: str) -> bool:
    """Whether that is a file where packages are installed, and not one of the project of which a copy is installed."""
    file = names_of(real.modules.get(_top(path))).get("__file__")
    is_elsewhere = type(file) is str and not file.startswith(_PACKAGES)
    return not is_elsewhere and _is_there(path)


@cache
def _is_there(path: str) -> bool:
    return not os.path.isabs(path) and any(real.is_there(folder + path) for folder in _PACKAGES)
