"""A path as reports name it."""

from __future__ import annotations

import os
from pathlib import Path


def relative_to_root(path: str, root: Path, real_root: Path) -> str:
    """The path from the rootdir, with ``/``; ``<site-packages>/...`` for what is installed elsewhere."""
    for base in (root, real_root):  # the rootdir may be named by a link
        inside = path.removeprefix(f"{base}{os.sep}")
        if inside != path and os.path.normpath(inside) == inside:  # what pathlib says, a hundred times quicker
            return inside.replace(os.sep, "/")
        try:
            return Path(path).relative_to(base).as_posix()
        except ValueError:
            pass
    parts = Path(path).parts
    for marker in ("site-packages", "dist-packages"):
        if marker in parts:
            return "/".join(("<site-packages>", *parts[parts.index(marker) + 1 :]))
    try:
        return Path(os.path.relpath(path, root)).as_posix()
    except ValueError:  # another drive
        return Path(path).as_posix()
