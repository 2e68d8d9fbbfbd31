"""An ignore matches nothing.

What it was written for is gone, or it never stood at the right line. It is reported only when the test it
stands in really ran, so a partial run never calls an ignore unused.

Instead: delete it, or move it to the line that the finding names.
"""

from __future__ import annotations

from pytest_secaudit.model import INFO, Check

CHECK = Check("PSA090", "unused-ignore", INFO, __doc__)
