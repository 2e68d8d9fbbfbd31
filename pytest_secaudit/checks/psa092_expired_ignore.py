"""An ignore is older than its own `until` date.

It was meant to be temporary. It still holds, so that no build breaks overnight; this finding is the reminder, and
`--secaudit-fail-on=advisory` makes it count.

Instead: fix what it hides, or give it a new date and say why.
"""

from __future__ import annotations

from pytest_secaudit.model import ADVISORY, Check

CHECK = Check("PSA092", "expired-ignore", ADVISORY, __doc__)
