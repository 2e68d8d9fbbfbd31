"""A page as a tree of values: text is always text, and nothing that could run can be built.

Of HTML only the elements and attributes named here exist. Characters that a browser would drop, or that reorder or
hide what stands beside them, are shown by their escapes. A link leads into the page itself or to one public catalogue.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pytest_secaudit.lean import lean

_TAGS = frozenset(
    "a caption circle code dd details div dl dt h1 h2 h3 h4 header li line main mark nav p pre rect section"
    " small span strong summary svg table tbody td text th thead title tr ul".split()
)
_ATTRIBUTES = frozenset(
    "aria-hidden aria-label class cx cy height href id open r rel role rx scope tabindex text-anchor"
    " width x x1 x2 y y1 y2".split()
)
_LINK = re.compile(r"#[\w.-]+|https://cwe\.mitre\.org/data/definitions/[0-9]+\.html", re.ASCII)
#: Controls, what reorders or hides text, halves of characters, and what is no character.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff]"
)
#: After these a new line begins in the file, so that it can be read and compared.
_ENDS_A_LINE = frozenset(("details", "h2", "h3", "h4", "header", "li", "nav", "p", "section", "table", "tr"))


@lean
@dataclass(frozen=True, slots=True)
class Element:
    """An element with its attributes and what is in it."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Element | str, ...]


Node: TypeAlias = Element | str


def element(tag: str, *children: Node | Iterable[Node] | None, **attributes: str | float | bool | None) -> Element:
    """An element; ``class_`` is the attribute ``class``, ``text_anchor`` is ``text-anchor``.

    Attributes that are None or False are left out, as are children that are None.

    Raises:
        ValueError: for an element, an attribute or a link that this page does not have.
    """
    if tag not in _TAGS:
        raise ValueError(f"no element {tag!r} here")
    return Element(tag, tuple(_attributes(attributes)), tuple(_flat(children)))


def _attributes(attributes: dict[str, str | int | float | bool | None]) -> Iterator[tuple[str, str]]:
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        text = "" if value is True else f"{value:g}" if isinstance(value, float) else str(value)
        if name not in _ATTRIBUTES:
            raise ValueError(f"no attribute {name!r} here")
        if name == "href" and not _LINK.fullmatch(text):
            raise ValueError(f"no link to {text!r}")
        yield name, text


def _flat(children: Iterable[Node | Iterable[Node] | None]) -> Iterator[Node]:
    for child in children:
        if isinstance(child, (str, Element)):
            yield child
        elif child is not None:
            yield from child


def document(title: str, css: str, body: Iterable[Node]) -> str:
    """The whole page: it may load nothing and run nothing, and has this one style sheet.

    The policy is of Content Security Policy Level 3; a ``meta`` element takes no ``frame-ancestors``.

    Raises:
        ValueError: for a style sheet that would end early.
    """
    if "</" in css:
        raise ValueError("a style sheet holds no markup")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'none'; base-uri 'none'; form-action 'none'"
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy, quote=False)}">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n',
        f"<title>{_escaped(title)}</title>\n<style>{css}</style>\n</head>\n<body>\n",
    ]
    for node in body:
        _write(node, parts)
    parts.append("</body>\n</html>\n")
    return "".join(parts)


def _write(node: Node, parts: list[str]) -> None:
    if isinstance(node, str):
        parts.append(_escaped(node))
        return
    attributes = "".join(f' {name}="{_quoted(value)}"' if value else f" {name}" for name, value in node.attributes)
    parts.append(f"<{node.tag}{attributes}>")
    for child in node.children:
        _write(child, parts)
    parts.append(f"</{node.tag}>\n" if node.tag in _ENDS_A_LINE else f"</{node.tag}>")


def _escaped(text: str) -> str:
    return html.escape(_UNSEEN.sub(lambda match: ascii(match[0])[1:-1], text), quote=False)


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', "&quot;")
