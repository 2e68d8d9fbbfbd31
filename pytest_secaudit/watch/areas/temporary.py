"""Files in the folder for temporary files, by names that do not hang on where that is."""

from __future__ import annotations

import os
import tempfile

#: As it is when we are loaded: tests change it.
_FOLDERS = tuple({os.path.join(path, "") for path in (tempfile.gettempdir(), os.path.realpath(tempfile.gettempdir()))})


def in_the_temporary_folder(path: str) -> str:
    """``<tmp>/name`` for a file or folder in there, an empty string for others."""
    folder = next((folder for folder in _FOLDERS if path.startswith(folder)), "")
    return f"<tmp>/{path[len(folder) :].replace(os.sep, '/')}" if folder else ""
