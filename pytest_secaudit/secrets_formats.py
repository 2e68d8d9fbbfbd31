"""The formats of secrets that can be told by their look: one list, for the check and for the redaction.

Nothing here is a secret: each entry is the fixed beginning that a provider gives to all of its
tokens, and how the rest looks, as the providers' documentation and public secret scanners say.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_secaudit.lean import lean


@lean
@dataclass(frozen=True, slots=True)
class Format:
    """How the tokens of one kind look.

    Attributes:
        what: who gives them out and what they are.
        starts: the fixed beginnings, as they are.
        rest: what follows in a whole token, as a regular expression.
        alphabet: the characters of the rest, as the inside of a character class.
    """

    what: str
    starts: tuple[str, ...]
    rest: str
    alphabet: str

    @property
    def start(self) -> str:
        """The beginnings as a regular expression."""
        return f"(?:{'|'.join(map(re.escape, self.starts))})"


def _format(what: str, starts: str, rest: str, alphabet: str) -> Format:
    return Format(what, tuple(starts.split()), rest, alphabet)


_ALNUM = "A-Za-z0-9"
_WORD = "A-Za-z0-9_"
_URLSAFE = "A-Za-z0-9_-"
_HEX = "A-Fa-f0-9"

FORMATS = (
    _format("AWS access key", "AKIA ASIA", "[A-Z0-9]{16}", "A-Z0-9"),
    _format("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", f"[{_ALNUM}]{{36,255}}", _ALNUM),
    _format("GitHub token", "github_pat_", f"[{_WORD}]{{60,255}}", _WORD),
    _format(
        "GitLab token",
        "glpat- gloas- gldt- glrt- glcbt- glptt- glft- glsoat- glagent-",
        f"[{_URLSAFE}]{{20,}}",
        _URLSAFE,
    ),
    _format(
        "Slack token",
        "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxe.xoxb- xoxe.xoxp-",
        f"(?=[A-Za-z-]*[0-9])[{_ALNUM}-]{{18,}}",
        f"{_ALNUM}-",
    ),
    _format("Slack app token", "xapp-", f"[0-9]-[{_ALNUM}-]{{20,}}", f"{_ALNUM}-"),
    _format(
        "Slack webhook",
        "hooks.slack.com/services/",
        f"T[{_ALNUM}]{{8,}}/B[{_ALNUM}]{{8,}}/[{_ALNUM}]{{20,}}",
        f"{_ALNUM}/",
    ),
    _format("Stripe live key", "sk_live_ rk_live_", f"[{_ALNUM}]{{16,}}", _ALNUM),
    _format("Google API key", "AIza", f"[{_URLSAFE}]{{35}}", _URLSAFE),
    _format("Google client secret", "GOCSPX-", f"[{_URLSAFE}]{{28}}", _URLSAFE),
    _format("npm token", "npm_", f"[{_ALNUM}]{{36}}", _ALNUM),
    _format("PyPI token", "pypi-", f"Ag[{_URLSAFE}]{{50,}}", _URLSAFE),
    _format("SendGrid key", "SG.", f"[{_URLSAFE}]{{16,}}\\.[{_URLSAFE}]{{16,}}", f".{_URLSAFE}"),
    _format("Anthropic key", "sk-ant-", f"[{_URLSAFE}]{{40,}}", _URLSAFE),
    _format(
        "OpenAI key",
        "sk-proj- sk-svcacct- sk-admin-",
        f"[{_URLSAFE}]{{20,}}T3BlbkFJ[{_URLSAFE}]{{20,}}",
        _URLSAFE,
    ),
    _format("OpenAI key", "sk-", f"[{_ALNUM}]{{20}}T3BlbkFJ[{_ALNUM}]{{20}}", _ALNUM),
    _format("Hugging Face token", "hf_", f"[{_ALNUM}]{{34}}", _ALNUM),
    _format("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", f"[{_HEX}]{{64}}", _HEX),
    _format("Shopify token", "shpat_ shpca_ shppa_ shpss_", f"[{_HEX}]{{32}}", _HEX),
    _format("Docker token", "dckr_pat_ dckr_oat_", f"[{_URLSAFE}]{{27,}}", _URLSAFE),
    _format("Grafana token", "glsa_", f"[{_ALNUM}]{{32}}_[{_HEX}]{{8}}", _WORD),
    _format("Vault token", "hvs. hvb.", f"[{_URLSAFE}]{{24,}}", _URLSAFE),
)


def _any_of(texts: Iterable[str]) -> str:
    """A regular expression for any of the texts: one branch per first character, each with plain text in front.

    Written so, and without a look-behind, the search is as fast as it can be: less than half of what one
    search for each costs.
    """
    rests: dict[str, list[str]] = {}
    for text in texts:
        rests.setdefault(text[0], []).append(re.escape(text[1:]))
    return "|".join(f"{re.escape(first)}(?:{'|'.join(found)})" for first, found in rests.items())


_START = re.compile(_any_of(start for item in FORMATS for start in item.starts))


def may_hold_token(text: str) -> bool:
    """Whether the beginning of a token stands in the text."""
    return _START.search(text) is not None


def tokens(text: str) -> Iterator[tuple[str, str]]:
    """The whole tokens in a text (quick, for whole files), each with who gives out tokens of this look."""
    for start in _START.finditer(text):
        at = start.start()
        if at and text[at - 1].isalnum():
            continue  # inside a longer word
        for pattern, what in _whole():
            match = pattern.match(text, at)
            if match:
                yield match[0], what
                break


@functools.cache
def _whole() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compiled at the first beginning of a token: most runs see none."""
    return tuple((re.compile(f"{item.start}{item.rest}"), item.what) for item in FORMATS)


_MADE_UP_WORD = re.compile(
    r"example|fake|dummy|sample|placeholder|invalid|redacted|secret|token|password|passwd|changeme|"
    r"test|mock|your|real|xxx|abcde|bcdef|qwert|asdf|deadbeef|cafebabe|lorem|foobar|"
    r"12345|23456|34567|45678|56789|67890|98765|87654|76543|65432|54321",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"(.)\1{3}|(..)\2{2}|(.{3,})\3")


def is_made_up(secret: str) -> bool:
    """Whether somebody typed it to have something of that look: words, counting up, repetition."""
    return bool(_MADE_UP_WORD.search(secret) or _REPEATED.search(secret)) or len(set(secret)) < 9


_URL = re.compile(r"://[^\s/:@'\"]*:(?P<password>[^\s/@'\"]{8,})@(?P<host>[^\s/'\":?#,)]*)")


def url_passwords(text: str) -> Iterator[tuple[str, str]]:
    """The passwords in the URLs of a text (quick, for whole files), each with the host that it is for."""
    for match in _URL.finditer(text):
        yield match["password"], match["host"]


_LOCAL_HOST = re.compile(
    r"^$|^[^.]*$|^\d+(\.\d+){3}$|^\[|[<{%$*]|(^|\.)(example|test|tests|invalid|local|localhost|internal|lan|home|domain|host|server)(\.(com|org|net|edu|io|local|test))?$"
)
_TEMPLATE = re.compile(r"[{}<>$*\\|]|%\(|%s")


def is_live_password(password: str, host: str) -> bool:
    """Whether a password in a URL looks generated, and its host like one that others can reach."""
    mixed = re.search(r"[A-Za-z]", password) and re.search(r"\d", password)
    long = len(password) >= 14 and len(set(password)) >= 9
    return bool(long and mixed) and not (_TEMPLATE.search(password) or _LOCAL_HOST.search(host) or is_made_up(password))


#: In the name of something, they say that its value is not live.
UNREAL = frozenset(
    "bad bogus dummy example expired fake invalid mock mocked nonexistent placeholder random revoked sample stub wrong".split()
)
#: Whose presence makes tokens of this look normal: it makes such tokens, or stands in for their provider.
HOMES: Mapping[str, tuple[str, ...]] = {
    "AWS access key": ("moto", "botocore", "localstack"),
    "PyPI token": ("warehouse", "pypitoken"),
}
_ABOUT_SECRETS = re.compile(
    r"redact|scrub|obfuscat|sanitiz|sanitis|scann|detector|gitleaks|trufflehog|masking|masked|masks|hide_?secret|disclos"
)


def is_about_secrets(name: str) -> bool:
    """Whether a path or the name of a test says that it is about secrets themselves: it needs something to hide or find."""
    return _ABOUT_SECRETS.search(name.lower()) is not None
