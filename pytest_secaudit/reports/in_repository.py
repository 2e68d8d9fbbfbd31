"""What reports for a repository share: paths as its root sees them, and text that hides nothing."""

from __future__ import annotations

import posixpath
import re
import unicodedata

from pytest_secaudit.model import Finding, Place

#: Of a text from the suite so many characters are shown.
MAX_TEXT = 1_000


def in_repository(path: str, root: str) -> str | None:
    """A path of the report, seen from the root of the repository; None for what lies outside it."""
    if path.startswith("<") or posixpath.isabs(path) or re.match("[A-Za-z]:/", path):
        return None  # installed elsewhere, or on another drive
    whole = posixpath.normpath(posixpath.join(root.replace("\\", "/").strip("/"), visible(path)))
    if whole == ".." or whole.startswith("../"):
        return None
    return "" if whole == "." else whole


def shown_at(finding: Finding, root: str) -> Place:
    """Where a finding is shown, seen from the root of the repository: at the place to edit.

    Where that lies outside, at an owner or the line that wrote; at last, at the folder of the suite.
    """
    owners = finding.owners or (finding.owner,)
    places = [Place(finding.path, finding.line), *(Place(owner.path, owner.line) for owner in owners)]
    places += [place for place in (finding.written_at, *(owner.written_at for owner in owners)) if place is not None]
    for place in places:
        inside = in_repository(place.path, root) if place.path else None
        if inside:
            return Place(inside, max(1, place.line))
    return Place(in_repository("", root) or ".", 1)


def visible(text: str) -> str:
    """The text with all that hides or reorders text written out, as `redact` does it; nothing is left to chance here."""
    if text.isprintable():
        return text
    return "".join(ascii(one)[1:-1] if unicodedata.category(one) in _HIDDEN else one for one in text)


#: Controls, formats (bidi among them), surrogates, separators of lines and paragraphs.
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """The text as it may be shown, cut where it is too long."""
    shown = visible(text)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."
