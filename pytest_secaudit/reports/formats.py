"""The reports by their names, each loaded only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from pytest_secaudit.lean import lean
from pytest_secaudit.model import Audit, Heading


@lean
@dataclass(frozen=True, slots=True)
class Extras:
    """What a report may need beside the result.

    Attributes:
        catalogue: the headings of all checks.
        source_of: the text of a file by its path in the report; raises OSError or ValueError.
        root: the folder of the rootdir within the repository.
        with_cleared: suspicions that the run cleared are told, too.
        whole: paths of files that are reviewed whatever was found in them.
        everything: so are all others.
    """

    catalogue: Sequence[Heading]
    source_of: Callable[[str], str]
    root: str = ""
    with_cleared: bool = False
    whole: Collection[str] = ()
    everything: bool = False


def render(kind: str, audit: Audit, extras: Extras) -> str:
    """The text of the report of one format.

    Raises:
        KeyError: for an unknown format.
    """
    return _RENDERERS[kind](audit, extras)


def _json(audit: Audit, extras: Extras) -> str:
    from pytest_secaudit.reports import json

    return json.render(audit, with_cleared=extras.with_cleared)


def _markdown(audit: Audit, extras: Extras) -> str:
    from pytest_secaudit.reports import markdown

    return markdown.render(audit, extras.whole, everything=extras.everything)


def _sarif(audit: Audit, extras: Extras) -> str:
    from pytest_secaudit.checks import whole
    from pytest_secaudit.reports import sarif

    return sarif.render(audit, tuple(map(whole, extras.catalogue)), extras.source_of, root=extras.root)


def _html(audit: Audit, extras: Extras) -> str:
    from pytest_secaudit.reports import html

    return html.render(audit, extras.source_of)


def _github(audit: Audit, extras: Extras) -> str:
    from pytest_secaudit.reports import github

    return github.render(audit, root=extras.root)


def _gitlab(audit: Audit, extras: Extras) -> str:
    from pytest_secaudit.reports import gitlab

    return gitlab.render(audit, root=extras.root)


_RENDERERS: Mapping[str, Callable[[Audit, Extras], str]] = {
    "json": _json,
    "markdown": _markdown,
    "sarif": _sarif,
    "html": _html,
    "github": _github,
    "gitlab": _gitlab,
}
