"""Words that make a place security-relevant.

Whole words only, split at underscores and capitals: substring matching was the main source of
wrong escalations seen (``ps``, ``scope``, ``timeseries policy``). ``session`` is left out: on real
suites it means a database's or an HTTP client's.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = frozenset(
    """
    acl authenticate authenticated authentication authenticator authn authorisation authorise
    authorised authorization authorize authorized authz auth cert certificate certificates certs
    credential credentials crypt crypto cryptography csrf decrypt decrypted decryption decryptor denied
    encrypt encrypted encryption encryptor encryptors escape escaped escaping forbidden hmac inject injection
    jwt login logout oauth oauth2 oidc passwd password passwords permission permissions policy rbac
    reject rejected rejects rejection role roles saml sandbox sandboxed sanitise sanitised sanitize
    sanitized secret secrets sign signature signatures signed signer signers ssl tls token tokens
    traversal unauthorised unauthorized verifier verifiers verify verified verification xsrf xss
    """.split()
)
_KEY_KINDS = frozenset(("access", "api", "private", "signing", "ssh"))
#: What may stand before them: ``key`` alone is nearly always a dictionary's, and a ``hostname`` just a machine's.
_ONLY_AFTER = {"key": _KEY_KINDS, "keys": _KEY_KINDS, "hostname": frozenset(("assert", "check", "match", "server"))}

_SPLIT = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d?(?![a-z])|[A-Z]+|\d+")


def words(name: str) -> list[str]:
    """The words of an identifier or path, in lower case."""
    return [word.lower() for word in _SPLIT.findall(name)]


def security_word(name: str) -> str | None:
    """The first security word of ``name``, or None."""
    found = words(name)
    for index, word in enumerate(found):
        if word in _WORDS:
            return word
        if index and found[index - 1] in _ONLY_AFTER.get(word, ()):
            return f"{found[index - 1]} {word}"
    return None


_VERBS = frozenset("assert check enforce ensure has is match require requires validate verify can".split())
_OBJECTS = frozenset(
    """
    access acl auth authenticated authentication authorization authorized cert certificate certificates certs
    credential credentials csrf hmac hostname jwt login passwd password permission permissions perm perms
    policies policy privileges rbac role roles secret session signature signatures signed ssl tls token tokens
    """.split()
)
#: Function names that are a check without any other word.
_ALONE = frozenset(("authenticate", "authorize", "authorise", "login_required"))
_NAME = re.compile(r"_*[a-z]\w*")


@lru_cache(maxsize=1 << 14)
def is_security_check(name: str) -> bool:
    """``check_signature``, ``has_permission``, ``authorize``: a function that says yes or no."""
    if not _NAME.fullmatch(name):
        return False
    if name.strip("_") in _ALONE:
        return True
    found = words(name)
    return bool(found) and found[0] in _VERBS and found[-1] in _OBJECTS
