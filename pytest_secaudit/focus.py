"""Where the last run found something in namespaces: remembered in pytest's cache, so that the next looks there first.

A run that cannot look everywhere after each test knows of some changes only that one of several tests made them. The
next run looks at those modules after each test. Names of modules are kept, nothing of what is in them.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

_NAME = "focus"
_MOST = 50


class Focus:
    """The names of modules, in one file for each process of a run.

    Args:
        folder: where the files go.
        part: the name of this process among several (``gw0``), or an empty string.
    """

    def __init__(self, folder: Path, part: str = "") -> None:
        self._folder = folder
        self._part = part

    def read(self) -> frozenset[str]:
        """Those of the last run, whichever process found them; none where the files cannot be read."""
        names: set[str] = set()
        for path in sorted(self._folder.glob(f"{_NAME}*.json")):
            with contextlib.suppress(OSError, ValueError):
                found = json.loads(path.read_bytes())
                if isinstance(found, list):
                    names.update(name for name in found if isinstance(name, str))
        return frozenset(names)

    def write(self, names: Iterable[str]) -> None:
        """Keep these for the next run; where that cannot be, it does without."""
        path = self._folder / f"{_NAME}{'-' if self._part else ''}{self._part}.json"
        scratch = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            scratch.write_text(json.dumps(sorted(names)[:_MOST]), encoding="utf-8")
            scratch.replace(path)
