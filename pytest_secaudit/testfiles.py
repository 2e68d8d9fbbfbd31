"""The test files of a folder, as pytest would look for them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

#: Folders that hold no tests of the project.
_SKIPPED_FOLDERS = frozenset(("__pycache__", "build", "dist", "node_modules", "site-packages", "venv"))
#: pytest's own ``python_files``.
PATTERNS = ("test_*.py", "*_test.py")


def files_of_tests(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    """The files in a folder and its folders whose names match."""
    for where, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS and not name.startswith(".")]
        yield from (Path(where, name) for name in files if any(Path(name).match(pattern) for pattern in patterns))
