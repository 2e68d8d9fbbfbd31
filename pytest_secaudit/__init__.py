"""pytest-secaudit audits test suites: ``pytest --secaudit``."""

from __future__ import annotations

__version__ = "0.1.0"
