"""How long what was left behind was in force."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_secaudit.model import Finding, Lifetime


def lifetimes_of(findings: Iterable[Finding]) -> tuple[Lifetime, ...]:
    """The times in which the changes that findings are about were in force, in the order in which they were left."""
    found = (Lifetime(finding.fingerprint, *lived) for finding in findings for lived in finding.detail.get("lived", ()))
    return tuple(sorted(found, key=lambda one: (one.process, one.began, one.fingerprint)))
