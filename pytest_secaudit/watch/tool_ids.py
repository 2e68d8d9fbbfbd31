"""A tool id of `sys.monitoring`, taken and given back: there are six for all tools of a process."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

#: None before Python 3.12.
monitoring: Any = getattr(sys, "monitoring", None)

NONE_FREE = "no tool id of sys.monitoring is free"
#: 0 belongs to debuggers, 1 to coverage, 2 to profilers.
_TOOL_IDS = (3, 4, 5, 2)
#: Those that we had before in this process.
_used: set[int] = set()


def take(module: ModuleType | Any, name: str) -> int | None:
    """An id under which nothing is silenced yet; None if all are taken.

    Args:
        module: `sys.monitoring`.
        name: of the tool that wants it.
    """
    for tool in _TOOL_IDS:
        if module.get_tool(tool) is None:
            try:
                module.use_tool_id(tool, name)
            except ValueError:  # another thread was faster
                continue
            if tool in _used:  # an earlier session in this process has silenced code under this id
                module.restart_events()
            _used.add(tool)
            return tool
    return None
