"""An ignore gives no reason or no code, or is malformed.

It suppresses nothing: an ignore that nobody can judge later hides more than it was meant to.

Instead: write `# secaudit: ignore[PSA701] why`, or
`@pytest.mark.secaudit(ignore=["PSA701"], reason="why")`.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

CHECK = Check("PSA093", "ignore-without-reason", ADVISORY, __doc__)
