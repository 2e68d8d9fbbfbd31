"""The one way out for text of the user: no secret, no control character.

Every message, excerpt, test id, reason and path that leaves the audit (terminal, files, cache)
passes through `clean`. It is broader than the check for secrets: to hide what was none costs
little, and an excerpt may have cut a token short.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from pytest_secaudit.secrets_formats import FORMATS, may_hold_token

_NAMES = "pass(?:word|wd|phrase|code)?|pwd|secret|token|(?:api|access|private|secret|signing|auth)[-_]?key|credentials?"
#: An excerpt ends like this where it was cut.
_CUT = r"(?=\.\.\.|…)"


def _pattern(text: str, flags: int = 0) -> Callable[[], re.Pattern[str]]:
    """Compiled at the first text that needs it: a run that finds nothing needs hardly any."""
    return functools.cache(functools.partial(re.compile, text, flags))


@functools.cache
def _token() -> re.Pattern[str]:
    wholes = (f"{item.start}(?:{item.rest}[{item.alphabet}]*|[{item.alphabet}]*{_CUT})" for item in FORMATS)
    return re.compile(f"(?<![A-Za-z0-9])(?:{'|'.join(wholes)})")


#: ``://user:password@``: the last ``@`` before a slash or space counts; a cut one has no ``@`` any more.
_URL_PASSWORD = _pattern(rf"(?<=://)([^\s/:@]*):(?:[^\s/]{{3,}}@|(?!\d*(?:\.\.\.|…)|[{{<])[^\s/@]+{_CUT})")
#: A token in the place of a user name: ``https://3f2a...@sentry.example``.
_URL_USER = _pattern(r"(?<=://)(?=[^\s/:@]*\d)(?=[^\s/:@]*[A-Za-z])([^\s/:@<]{4})[^\s/:@<]{12,}(?=[:@])")
_JWT = _pattern(r"(?<![A-Za-z0-9])(eyJ[A-Za-z0-9_-])[A-Za-z0-9_-]{7,}(?:\.[A-Za-z0-9_-]*){1,2}")
#: The older keys of OpenAI and of those who copied its form have nothing fixed but this.
_SK = _pattern(r"(?<![A-Za-z0-9])(sk-)(?=[\w-]*\d)[\w-]{12,}")
_PRIVATE_KEY = _pattern(r"(?<=PRIVATE KEY-----).+?(?=-----END|$)", re.DOTALL)
_AUTHORIZATION = _pattern(r"\b((?:Bearer|Basic|Digest) )(?=[^\s'\"]*\d)[A-Za-z0-9+/=._~-]{12,}", re.IGNORECASE)
#: ``--password hunter2``, ``--token=...``, ``'--api-key', '...'``.
_ARGUMENT = _pattern(
    rf"(?<![\w-])(--?(?:[\w-]+-)?(?:{_NAMES})(?:=|['\"]?,? +)['\"]?)(?![-<])[^\s'\",)\]]+", re.IGNORECASE
)
#: ``password='hunter2'``, ``"token": "..."``, ``API_KEY=...`` of a program's environment.
_ASSIGNED = _pattern(
    rf"((?:{_NAMES})['\"]?\s?[=:]\s?[bBrR]{{0,2}}(?P<q>['\"]))(?!<redacted>)(?:(?!(?P=q)).){{3,}}", re.IGNORECASE
)
_ENVIRONMENT = _pattern(
    r"\b((?:[A-Z][A-Z0-9]*_)*(?:PASSWORD|PASSWD|SECRET|TOKEN|KEY)(?:_[A-Z]+)*=)(?![=<])[^\s'\",)\]]{3,}"
)

#: C0 and C1 controls, and the characters that reorder or hide text; a tab is allowed to stay.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


#: What must stand in a text for the pattern to be worth trying; the pattern; what it leaves.
_STEPS: tuple[tuple[str, Callable[[], re.Pattern[str]], str], ...] = (
    ("://", _URL_PASSWORD, r"\1:<redacted>@"),
    ("://", _URL_USER, r"\1<redacted>"),
    ("PRIVATE KEY-----", _PRIVATE_KEY, "<redacted>"),
    ("sk-", _SK, r"\1<redacted>"),
    ("eyJ", _JWT, r"\1<redacted>"),
    (" ", _AUTHORIZATION, r"\1<redacted>"),
    ("-", _ARGUMENT, r"\1<redacted>"),
    ("'", _ASSIGNED, r"\1<redacted>"),
    ('"', _ASSIGNED, r"\1<redacted>"),
    ("=", _ENVIRONMENT, r"\1<redacted>"),
)


def clean(text: str) -> str:
    """``text`` as one line without secrets and control characters.

    Of a token its first four characters stay, so that its owner can recognise it; of a password none.
    """
    if may_hold_token(text):
        text = _token().sub(lambda match: f"{match[0][:4]}<redacted>", text)
    for needed, pattern, left in _STEPS:
        if needed in text:
            text = pattern().sub(left, text)
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)
