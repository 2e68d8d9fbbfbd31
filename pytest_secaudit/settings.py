"""What the user asked for, read once and checked: one frozen value."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_secaudit.catalogue import UnknownCode, codes_of
from pytest_secaudit.lean import lean
from pytest_secaudit.model import Finding, Heading, Severity
from pytest_secaudit.redact import clean
from pytest_secaudit.suppressions import split_codes

FAIL_LEVELS = ("none", "defect", "advisory", "info")
DEPTHS = ("static", "process", "deep", "exact")
REPORT_FORMATS = ("json", "sarif", "html", "gitlab", "github", "markdown")
#: The baseline that is written where none is named.
DEFAULT_BASELINE = "secaudit-baseline.json"
#: Those that may go to standard output.
PRINTABLE_FORMATS = frozenset(("github", "markdown"))


_EXAMPLES = {
    "json": "audit.json",
    "sarif": "audit.sarif",
    "html": "audit.html",
    "gitlab": "gl-code-quality-report.json",
}


class BadSetting(ValueError):
    """A wrong value; the message names the setting, the value and what is accepted."""

    def __init__(self, setting: str, value: object, accepted: str) -> None:
        super().__init__(f"{setting}: {value!r} is not accepted; {accepted}")


@lean
@dataclass(frozen=True, slots=True)
class PerFileIgnore:
    """Codes to ignore in files that match a glob (relative to the rootdir)."""

    glob: str
    codes: frozenset[str]

    def covers(self, finding: Finding) -> bool:
        return finding.code in self.codes and _path_matches(finding.path, self.glob)


@lean
@dataclass(frozen=True, slots=True)
class Expected:
    """A change that is meant: a code, a subject, optionally an owner, and why."""

    codes: frozenset[str]
    subject: str
    owner: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        owners = [owner.id for owner in finding.owners or (finding.owner,)]
        return (
            finding.code in self.codes
            and _matches(finding.subject or "", self.subject)
            and any(fnmatch.fnmatchcase(owner, self.owner) for owner in owners)
        )


@lean
@dataclass(frozen=True, slots=True)
class ReportTarget:
    """A report to write: its format and its file; no file means standard output."""

    format: str
    path: Path | None


@lean
@dataclass(frozen=True, slots=True)
class FixtureWanted:
    """A fixture to check: its name, None for all; and the file that defines it, None for any."""

    text: str
    name: str | None
    path: str | None = None

    def is_at(self, path: str) -> bool:
        """Whether a definition in this file is meant."""
        return self.path is None or path == self.path or path.endswith(f"/{self.path}")


@lean
@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one audited run.

    Attributes:
        others: there may be checks that this run does not know: it has loaded nobody's plugin or conftest.
    """

    checks: tuple[Heading, ...]
    ignored: frozenset[str] = frozenset()
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    expected: tuple[Expected, ...] = ()
    fail_on: str = "none"
    reports: tuple[ReportTarget, ...] = ()
    suppress: bool = True
    depth: str = "deep"
    watch_skip: frozenset[str] = frozenset()
    max_sleep: float | None = None
    budget: float = 5.0
    catalogue: tuple[Heading, ...] = ()
    others: bool = False
    baseline: Path | None = None
    write_baseline: bool = False
    fail_on_new_checks: bool = False
    report_root: str = ""
    junit: bool = False
    fixtures: bool = False
    blind_spots: bool = False
    check_fixtures: tuple[FixtureWanted, ...] = ()

    @property
    def on(self) -> frozenset[str]:
        """The codes of the checks that are on."""
        return frozenset(check.code for check in self.checks)

    @property
    def gate_level(self) -> Severity | None:
        return None if self.fail_on == "none" else Severity[self.fail_on.upper()]


def selected(
    setting: str, entries: Sequence[str], catalogue: Sequence[Heading], *, others: bool = False
) -> tuple[Heading, ...]:
    """The checks that a ``select`` list turns on; all of them for an empty list.

    Raises:
        BadSetting: for an unknown code, and when there is none of them here.
    """
    if not split_codes(entries):
        return tuple(catalogue)
    codes = parse_codes(setting, entries, catalogue, others=others)
    if not codes:
        raise BadSetting(setting, ", ".join(entries), "none of them is a built-in check, and no others are loaded here")
    return tuple(check for check in catalogue if check.code in codes)


def parse_codes(
    setting: str, entries: Iterable[str], catalogue: Sequence[Heading], *, others: bool = False
) -> frozenset[str]:
    """The codes of comma or line separated entries.

    Raises:
        BadSetting: for an unknown code.
    """
    try:
        return codes_of(split_codes(entries), catalogue, others=others)
    except UnknownCode as error:
        raise BadSetting(setting, ", ".join(entries), str(error)) from None


def parse_level(setting: str, value: str) -> str:
    """A gate level.

    Raises:
        BadSetting: when it is none of `FAIL_LEVELS`.
    """
    if value not in FAIL_LEVELS:
        raise BadSetting(setting, value, f"accepted: {', '.join(FAIL_LEVELS)}")
    return value


def parse_depth(setting: str, value: str) -> str:
    """How deep to watch.

    Raises:
        BadSetting: when it is none of `DEPTHS`.
    """
    if value not in DEPTHS:
        raise BadSetting(setting, value, f"accepted: {', '.join(DEPTHS)}")
    return value


def parse_watch_skip(setting: str, values: Iterable[str], known: Sequence[str]) -> frozenset[str]:
    """Names of watchers, by comma or line.

    Raises:
        BadSetting: for an unknown one.
    """
    names = split_codes(values)
    for name in names:
        if name not in known:
            raise BadSetting(setting, name, f"accepted: {', '.join(sorted(known))}")
    return frozenset(names)


def parse_seconds(setting: str, value: object) -> float | None:
    """A number of seconds, or None for an empty value.

    Raises:
        BadSetting: for what is no number, or below zero.
    """
    if value is None or value == "":
        return None
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadSetting(setting, value, "accepted: a number of seconds, as in 2.5")
    return seconds


def parse_budget(setting: str, value: object) -> float:
    """A share of the tests' run time in per cent; 5 for an empty value.

    Raises:
        BadSetting: for what is no number from 0 to 100.
    """
    if value is None or value == "":
        return 5.0
    try:
        budget = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        budget = -1.0
    if not 0 <= budget <= 100:
        raise BadSetting(setting, value, "accepted: a number of per cent from 0 to 100, as in 2.5")
    return budget


def parse_report(setting: str, value: str, folder: Path) -> ReportTarget:
    """``FORMAT:PATH``, the path relative to ``folder``; ``FORMAT`` alone where it may be printed.

    Raises:
        BadSetting: for an unknown format or a missing path.
    """
    kind, _, path = value.partition(":")
    if kind not in REPORT_FORMATS:
        forms = (f"{name}[:PATH]" if name in PRINTABLE_FORMATS else f"{name}:PATH" for name in REPORT_FORMATS)
        raise BadSetting(setting, value, f"accepted: {', '.join(forms)}")
    if not path.strip() and kind in PRINTABLE_FORMATS:
        return ReportTarget(kind, None)
    if not path.strip():
        raise BadSetting(setting, value, f"{kind} needs a path, as in {kind}:{_EXAMPLES[kind]}")
    return ReportTarget(kind, folder / Path(path.strip()).expanduser())


def parse_report_root(setting: str, value: str) -> str:
    """The folder of the rootdir within the repository, with ``/`` and none at either end.

    Raises:
        BadSetting: for an absolute path, or one that leaves the repository.
    """
    root = value.strip().replace("\\", "/")
    parts = [part for part in root.split("/") if part not in ("", ".")]
    if root.startswith("/") or ".." in parts or (parts and ":" in parts[0]):
        raise BadSetting(setting, value, "accepted: a folder within the repository, as in services/api")
    return "/".join(parts)


def parse_per_file_ignore(
    setting: str, line: str, catalogue: Sequence[Heading], *, others: bool = False
) -> PerFileIgnore:
    """``glob: CODES``.

    Raises:
        BadSetting: when it is not of that form, or a code is unknown.
    """
    glob, colon, codes = line.rpartition(":")
    if not colon or not glob.strip() or not codes.strip():
        raise BadSetting(setting, line, "accepted: glob: CODES, as in tests/legacy/*: PSA101, PSA2")
    try:
        return PerFileIgnore(glob.strip(), codes_of(split_codes([codes]), catalogue, others=others))
    except UnknownCode as error:
        raise BadSetting(setting, line, str(error)) from None


def parse_expected(setting: str, line: str, catalogue: Sequence[Heading], *, others: bool = False) -> Expected:
    """``CODE subject-glob [owner-glob]  reason``.

    Two spaces set the reason apart; with single spaces a third word is an owner only if it looks
    like a test id or a glob.

    Raises:
        BadSetting: when it is not of that form, or the code is unknown.
    """
    form = "accepted: CODE subject-glob [owner-glob]  reason (two spaces before the reason)"
    head, _, reason = re.sub(r"\s{2,}", "\0", line.strip()).partition("\0")
    words = head.split()
    if not reason:
        owner_given = len(words) > 3 and any(sign in words[2] for sign in "*?[/:")
        cut = 3 if owner_given else 2
        words, reason = words[:cut], " ".join(words[cut:])
    if len(words) not in (2, 3) or not reason.strip("\0 "):
        raise BadSetting(setting, line, form)
    try:
        codes = codes_of(split_codes([words[0]]), catalogue, others=others)
    except UnknownCode as error:
        raise BadSetting(setting, line, str(error)) from None
    return Expected(codes, words[1], words[2] if len(words) == 3 else "*", clean(reason.replace("\0", " ").strip()))


def _matches(subject: str, glob: str) -> bool:
    """A subject pasted from the report means itself: in a glob the brackets of ``os.environ['TZ']`` are a set."""
    return (
        subject == glob or fnmatch.fnmatchcase(subject, glob) or fnmatch.fnmatchcase(subject, glob.replace("[", "[[]"))
    )


def _path_matches(path: str, glob: str) -> bool:
    """A glob as users mean it: on the whole path, on its end, or a folder for all below it."""
    pattern = glob.removeprefix("./").rstrip("/")
    return any(fnmatch.fnmatchcase(path, form) for form in (pattern, f"*/{pattern}", f"{pattern}/*"))
