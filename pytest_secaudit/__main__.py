"""``python -m pytest_secaudit``: the static half without running pytest on anything."""

from __future__ import annotations

from pytest_secaudit.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
