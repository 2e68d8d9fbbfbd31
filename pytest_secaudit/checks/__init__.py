"""The built-in checks: one file is one hazard, with its page, its examples and its rule.

To add one, add a file that defines ``CHECK``; nothing else is edited. A check touches neither the
process nor pytest.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from pytest_secaudit.model import Check


@cache
def built_in() -> tuple[Check, ...]:
    """All checks of this package, sorted by code."""
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    checks: list[Check] = [module.CHECK for module in modules]
    return tuple(sorted(checks, key=lambda check: check.code))
