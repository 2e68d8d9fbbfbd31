"""A path as reports name it."""

from __future__ import annotations

import os
from pathlib import Path


def relative_to_root(path: str, root: Path, real_root: Path) -> str:
    """The path from the rootdir, with ``/``; ``<site-packages>/...`` for what is installed."""
    for base in (root, real_root):  # the rootdir may be named by a link
        inside = path.removeprefix(f"{base}{os.sep}")
        if inside != path and os.path.normpath(inside) == inside:  # what pathlib says, a hundred times quicker
            return _installed_in(inside) or inside.replace(os.sep, "/")
        try:
            below = Path(path).relative_to(base)
        except ValueError:
            continue
        return _installed_in(str(below)) or below.as_posix()
    installed = _installed_in(path)
    if installed:
        return installed
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return Path(path).as_posix()


def _installed_in(path: str) -> str:
    """The name of an installed file, also of a virtual environment below the rootdir; empty for any other."""
    if "-packages" not in path:
        return ""
    parts = Path(path).parts
    marker = next((marker for marker in ("site-packages", "dist-packages") if marker in parts), "")
    return "/".join(("<site-packages>", *parts[parts.index(marker) + 1 :])) if marker else ""
