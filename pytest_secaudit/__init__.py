"""pytest-secaudit audits test suites: ``pytest --secaudit``."""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, which is not loaded for that
if TYPE_CHECKING:
    from pytest_secaudit.leaks import Leak, Leaked, NoLeaks, Secaudit, no_leaks

__version__ = "0.1.0"

__all__ = ["Leak", "Leaked", "NoLeaks", "Secaudit", "__version__", "no_leaks"]


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """What watches the process is only loaded by those who ask for it: pytest loads this module in every run."""
        if name in __all__:
            import importlib

            return getattr(importlib.import_module("pytest_secaudit.leaks"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
