"""The built-in checks: one file is one hazard, with its page, its examples and its rule.

To add one, add a file that defines ``CHECK`` and run ``docs/generate_checks.py``; nothing else is edited. A check
touches neither the process nor pytest.
"""

from __future__ import annotations

import importlib
from functools import cache

from pytest_secaudit.model import Check, Heading


@cache
def built_in() -> tuple[Check, ...]:
    """All checks of this package, sorted by code."""
    checks: list[Check] = [importlib.import_module(name).CHECK for name in _files().values()]
    return tuple(sorted(checks, key=lambda check: check.code))


def whole(heading: Heading) -> Check:
    """The check under a heading: it itself, or the one of this package with its code."""
    if isinstance(heading, Check):
        return heading
    check: Check = importlib.import_module(_files()[heading.code]).CHECK
    return check


@cache
def _files() -> dict[str, str]:
    """The module of each check, by its code."""
    import pkgutil  # a run in which no file is new needs no check whole

    names = (info.name for info in pkgutil.iter_modules(__path__))
    return {name.partition("_")[0].upper(): f"{__name__}.{name}" for name in names if name.startswith("psa")}
