"""The hook that other people's checks come through. It is known in every run: a conftest may have it, audit or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a run without the audit loads nothing for it
    from pytest_secaudit.model import Check


class Hooks:
    """What pytest-secaudit asks of plugins and conftests."""

    @pytest.hookspec
    def pytest_secaudit_checks(self, config: pytest.Config) -> Iterable[Check]:  # type: ignore[empty-body]
        """The checks that this plugin or conftest adds to the built-in ones.

        Asked once, when an audited run begins, and for ``--secaudit-list`` and ``--secaudit-explain``. A conftest that
        pytest only finds while it collects comes too late for that; the report names it.
        """
