"""Settings of our own test suite."""

from __future__ import annotations

import hypothesis
import pytest

# How long an example takes is the machine's affair, and says nothing about the code.
hypothesis.settings.register_profile("secaudit", deadline=None)
hypothesis.settings.load_profile("secaudit")

pytest_plugins = ["pytester"]


@pytest.fixture(autouse=True)
def _fixed_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Output is 80 columns wide and plain, wherever the suite runs."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("CI", "FORCE_COLOR", "GITHUB_ACTIONS", "NO_COLOR", "PYTEST_ADDOPTS", "PY_COLORS"):
        monkeypatch.delenv(name, raising=False)
