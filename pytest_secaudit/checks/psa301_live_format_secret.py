"""A string in a test has the format of a live credential.

Whoever can read the repository can use it: test code is read by more people and more machines than
the vault, and deleting the line leaves it in the history. Provider formats and long random passwords
in URLs are reported; what says that it is made up is not.

Instead: revoke it first, then read the value from the environment, or write one that cannot work
(`"ghp_" + "x" * 36`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from pytest_secaudit.lexicon import words
from pytest_secaudit.model import DEFECT, Check, Hit
from pytest_secaudit.secrets_formats import (
    HOMES,
    UNREAL,
    is_about_secrets,
    is_live_password,
    is_made_up,
    tokens,
    url_passwords,
)
from pytest_secaudit.source import Scope, TestModule, dotted_name, own_nodes, terminal_name

# Put together here, so that no scanner takes our own examples for what they are examples of.
_GITHUB = "gh" + "p_9fKq2LzWc7RtY0bVxN4mJd8HsPa3GuEoTi6C"
_AWS = "AK" + "IAQ3ZJ7WKD5XMB2LTP"
_GITLAB = "gl" + "pat-Xq7_RmZ2kWv9TnLd4cYp"
_STRIPE = "sk_" + "live_4Kq9ZtWm2RxLv7PbNc8dYs3H"
_SLACK = "xox" + "b-830174629581-710394826175-Kq9ZtWm2RxLv7PbNc8dYs3Hj"
_GOOGLE = "AI" + "zaSyD4kQ9vWm2RxLt7PbNc8dYs3HjUe6GfZoA"
_NPM = "np" + "m_7RtY0bVxN4mJd8HsPa3GuEoTi6C9fKq2LzWc"
_PASSWORD = "p7Rk" + "2Wq9Zt4LmX8v"

BAD = (
    f'''
TOKEN = "{_GITHUB}"  # PSA301

def test_upload(client):
    client.login("ci", key="{_AWS}")  # PSA301
    assert client.get("/", headers={{"Authorization": "token {_GITLAB}"}}).ok  # PSA301
    assert client.send(b"{_SLACK}")  # PSA301
''',
    f'''
import pytest

@pytest.mark.parametrize("key", ["{_STRIPE}", "{_GOOGLE}"])  # PSA301
def test_payment(key):
    url = f"https://api.shop.com/{{key}}?npm={_NPM}"  # PSA301
    assert get(url)
''',
    f"""
def test_clone(tmp_path):
    url = "https://deploy:{_PASSWORD}@git.shop.com/orders.git"  # PSA301
    assert clone(url, tmp_path)
""",
)
GOOD = (
    # placeholders
    f'''
A = "gh" "p_" + "x" * 36
B = "{_AWS[:4]}IOSFODNN7EXAMPLE"
C = "{_GITHUB[:4]}abcdefghijklmnopqrstuvwxyz0123456789"
D = "{_GITLAB[:6]}fake_fake_fake_fake1"
E = "{_STRIPE[:8]}51xxxxxxxxxxxxxxxxxxxxxx"
F = "{_GITHUB[:4]}1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"
G = "{_GOOGLE[:4]}1234567890qwertyuiopasdfghjklzxcvbn"
''',
    # documentation, and a judgement of the authors
    f'''
"""Log in with {_GITHUB}."""

def test_login():
    """Uses {_GITLAB}."""
    # {_AWS} was here once
    token = "{_GITHUB}"  # gitleaks:allow
    # revoked in 2019
    old = "{_GITLAB}"
    other = "{_NPM}"  # pragma: allowlist secret
''',
    # the name says it
    f'''
FAKE_TOKEN = "{_GITHUB}"

def test_login(client):
    client.login(token=dummy("{_GITLAB}"), invalid_key="{_AWS}")
''',
    # what hides or finds secrets needs something to hide or find
    f'''
def test_redacts_tokens():
    assert clean("{_GITHUB}") == "***"

class TestSecretScanner:
    def test_github(self):
        assert find("{_GITHUB}")
''',
    # the provider's own suite
    f'''
from moto import mock_aws
import warehouse.macaroons

def test_key():
    assert account_of("{_AWS}")
    assert parse("py" + "pi-AgEIcHlwaS5vcmc")
''',
    # URLs: placeholders, local hosts, host names that nobody can have, templates
    f"""
A = "https://user:hunter2@git.shop.com/"
B = "postgresql://shop:{_PASSWORD}@localhost:5432/shop"
C = "amqp://shop:{_PASSWORD}@rabbit:5672//"
D = "https://user:{_PASSWORD}@www.example.com/"
E = "https://user:{_PASSWORD}@shop.test/"
F = "https://user:{{password1234abcd}}@git.shop.com/"
G = "https://user:correct-horse-battery@git.shop.com/"
H = "https://user:%(password1234)s@git.shop.com/"
I = "https://user:my-secret-Password1@git.shop.com/"
J = "redis://:{_PASSWORD}@127.0.0.1:6379/0"
""",
    # a longer word, a hash
    f"""
A = "Z{_GITHUB}"
B = "sha512-hf_not/long"
""",
)

_SAID = re.compile(
    r"allowlist|whitelist|gitleaks|nosec|\b(fake|dummy|revoked|expired|invalid|inactive|example|made[- ]up|placeholder|"
    r"not (a |an )?(real|live|valid|secret)|no longer (valid|active|works))\b",
    re.IGNORECASE,
)


def rule(module: TestModule) -> Iterator[Hit]:
    found = dict(tokens(module.text))
    found = {token: what for token, what in found.items() if not is_made_up(token) and not _at_home(module, what)}
    passwords = {secret for secret, host in url_passwords(module.text) if is_live_password(secret, host)}
    if (found or passwords) and not is_about_secrets(module.path):
        for constant, text, scope in _strings(module):
            what = next((found[token] for token, _ in tokens(text) if token in found), "")
            if not what and any(secret in passwords for secret, _ in url_passwords(text)):
                what = "URL password"
            if what and not _is_explained(module, scope, constant):
                yield _hit(constant, text, what, found)


def _hit(constant: ast.Constant, text: str, what: str, found: dict[str, str]) -> Hit:
    token = next((token for token, _ in tokens(text) if token in found), "")
    shown = f" ({token[:4]}...)" if token else ""
    return Hit(
        constant,
        f"the string has the format of a live {what}{shown}",
        fix="revoke it, then read it from the environment or use a value that cannot work",
        security="credential",
    )


def _strings(module: TestModule) -> Iterator[tuple[ast.Constant, str, Scope]]:
    """The string and bytes constants that are neither docstrings nor stand alone as comments."""
    for scope in module.scopes:
        nodes = list(own_nodes(scope.node))
        alone = {node.value for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and node not in alone:
                if isinstance(node.value, str):
                    yield node, node.value, scope
                elif isinstance(node.value, bytes):
                    yield node, node.value.decode("latin-1"), scope


def _at_home(module: TestModule, what: str) -> bool:
    homes = HOMES.get(what, ())
    return any(full.partition(".")[0] in homes for full in module.imported_names().values())


def _is_explained(module: TestModule, scope: Scope, constant: ast.Constant) -> bool:
    """A name around the string, the test's name or a comment says that it is not live."""
    if is_about_secrets(scope.qualname):
        return True
    if any(not UNREAL.isdisjoint(words(name)) for name in _names_around(scope, constant)):
        return True
    comments = module.comments(scope)
    last = constant.end_lineno or constant.lineno
    return any(_SAID.search(comments.get(line, "")) for line in range(constant.lineno - 1, last + 1))


def _names_around(scope: Scope, constant: ast.Constant) -> Iterator[str]:
    """What the string is assigned to, or handed over as."""
    for node in scope.ancestors(constant):
        if isinstance(node, ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Call):
            yield terminal_name(node.func)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (dotted_name(target) for target in targets)
        if isinstance(node, ast.stmt):
            return


CHECK = Check("PSA301", "live-format-secret", DEFECT, __doc__, BAD, GOOD, rule, cwe=798)
