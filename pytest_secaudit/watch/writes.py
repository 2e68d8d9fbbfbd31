"""Writes that were noticed as they happened: what was written since the last look, and from where.

An area that hears of every write need not look at the state itself while there was none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from types import FrameType
from typing import Any

from pytest_secaudit.watch import real
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Site
from pytest_secaudit.watch.tapping import Taps

#: Names what a call wrote, from its arguments and its result; None for nothing.
Written = Callable[[tuple[Any, ...], Mapping[str, Any], Any], Hashable | None]

_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


def caller() -> FrameType | None:
    """The frame of the code that called what is listened to."""
    frame: FrameType | None = real.getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    return frame


class Writes:
    """The writes since the last look.

    Attributes:
        sites: what was written, and the stack of the last write to it.
    """

    def __init__(self, taps: Taps, stack: Stack) -> None:
        self.sites: dict[Hashable, Site | None] = {}
        self._taps = taps
        self._stack = stack

    def listen(self, holder: Any, name: str, written: Written) -> bool:
        """Hear of the calls of ``holder.name`` that come to their end; False where there is no such function."""

        def around(original: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
            __tracebackhide__ = True
            result = original(*args, **kwargs)
            try:
                what = written(args, kwargs, result)
                if what is not None:
                    self.sites[what] = None  # whatever becomes of the rest
                    self.sites[what] = self._stack.site()
            except Exception:  # the call is the user's, and it succeeded
                return result
            return result

        return self._taps.put(holder, name, around)

    def taken(self) -> dict[Hashable, Site | None]:
        """What was written until now; from here on it is counted anew."""
        if not self.sites:
            return {}
        sites, self.sites = self.sites, {}
        return dict(sites)  # a thread may still be writing to the other
