"""An ignore names a code that does not exist.

It suppresses nothing, and whoever wrote it believes that it does.

Instead: write a code or name from `--secaudit-list`.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

CHECK = Check("PSA091", "unknown-code", ADVISORY, __doc__)
