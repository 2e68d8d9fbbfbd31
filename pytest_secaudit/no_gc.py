"""Making what stays, without the garbage collector looking for garbage in it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator


@contextlib.contextmanager
def no_gc() -> Generator[None, None, None]:
    """No collection meanwhile: importing and parsing make thousands of objects, and none of them is garbage yet.

    It is not only quicker. Each collection brings the next full one nearer, which would then fall on somebody's test.
    No area may be looked at meanwhile: whether it is on is watched, too.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
