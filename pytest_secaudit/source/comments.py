"""Comments of a stretch of source, found by tokenizing just that stretch."""

from __future__ import annotations

import io
import tokenize


def comments_between(lines: list[str], first: int, last: int) -> dict[int, str]:
    """Line number to comment text (without ``#``), for lines ``first`` to ``last`` (1-based, inclusive).

    The stretch should begin where a statement begins; what cannot be tokenized ends the search.
    """
    if not any("#" in line for line in lines[first - 1 : last]):
        return {}
    found: dict[int, str] = {}
    text = "\n".join(lines[first - 1 : last]) + "\n"
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                found[first - 1 + token.start[0]] = token.string.lstrip("#").strip()
    except (tokenize.TokenError, SyntaxError):
        pass  # a stretch cut in the middle of a statement; the comments before the cut are good
    return found
