"""Where reports leave us: a file, at once or not at all, or standard output, whatever it can show."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace the file in one step, so that no reader ever sees half of it.

    Raises:
        OSError: when it cannot be written; the old file is then as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_text(text, encoding="utf-8", newline="\n")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def print_text(text: str) -> None:
    """To standard output; what its encoding does not have is written out."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
