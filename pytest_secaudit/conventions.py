"""How pytest was told to recognise tests."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

from pytest_secaudit.lean import lean

_GLOB = re.compile(r"[*?\[]")


@lean
@dataclass(frozen=True, slots=True)
class Conventions:
    """How pytest was told to recognise tests (its ini option ``python_functions``)."""

    functions: tuple[str, ...] = ("test",)

    def names_test(self, name: str) -> bool:
        """Whether a function of this name is collected; a pattern is a prefix or a glob, as in pytest."""
        if name.startswith(self.functions):
            return True
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.functions if _GLOB.search(pattern))
