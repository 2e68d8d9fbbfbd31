"""What `clean` hides, what it leaves, and that it does so for every format of the one list."""

from __future__ import annotations

import ast
import random
import string

import pytest

from pytest_secaudit.redact import clean
from pytest_secaudit.secrets_formats import FORMATS, is_made_up, tokens, url_passwords
from pytest_secaudit.source import source_of

#: For each format how a token of it is made; put together here, so that no scanner takes them for real.
SHAPES = {
    "AWS access key": ("AK" + "IA", string.ascii_uppercase + string.digits, 16),
    "Anthropic key": ("sk-" + "ant-", string.ascii_letters + string.digits, 95),
    "DigitalOcean token": ("dop" + "_v1_", "0123456789abcdef", 64),
    "Docker token": ("dckr" + "_pat_", string.ascii_letters, 27),
    "GitHub token": ("gh" + "p_", string.ascii_letters + string.digits, 36),
    "GitLab token": ("gl" + "pat-", string.ascii_letters + string.digits, 20),
    "Google API key": ("AI" + "za", string.ascii_letters + string.digits, 35),
    "Google client secret": ("GOC" + "SPX-", string.ascii_letters + string.digits, 28),
    "Hugging Face token": ("h" + "f_", string.ascii_letters, 34),
    "Shopify token": ("shp" + "at_", "0123456789abcdef", 32),
    "Stripe live key": ("sk_" + "live_", string.ascii_letters + string.digits, 24),
    "Vault token": ("hv" + "s.", string.ascii_letters + string.digits, 24),
    "npm token": ("np" + "m_", string.ascii_letters + string.digits, 36),
}


def made(what: str) -> str:
    """A token of this kind, the same in every run; letters and digits, nothing of a placeholder."""
    start, alphabet, length = SHAPES[what]
    draw = random.Random(what)
    while True:
        token = start + "".join(draw.choice(alphabet) for _ in range(length))
        if not is_made_up(token):
            return token


OTHERS = {
    "GitHub token": "github" + "_pat_" + made("GitHub token")[4:] * 2,
    "Grafana token": "gl" + "sa_" + made("GitHub token")[4:36] + "_0a1B2c3D",
    "OpenAI key": "sk-" + "proj-" + made("GitHub token")[4:34] + "T3Blbk" + "FJ" + made("npm token")[4:34],
    "PyPI token": "pypi" + "-Ag" + made("GitHub token")[4:] + made("npm token")[4:],
    "SendGrid key": "S" + "G." + made("GitHub token")[4:26] + "." + made("npm token")[4:40],
    "Slack app token": "xap" + "p-1-" + made("GitHub token")[4:],
    "Slack token": "xox" + "b-830174629581-" + made("GitHub token")[4:28],
    "Slack webhook": "hooks.slack" + ".com/services/T0A1B2C3D/B9Z8Y7X6W/" + made("GitHub token")[4:28],
}
TOKENS = [*((what, made(what)) for what in SHAPES), *OTHERS.items()]


@pytest.mark.parametrize(("what", "token"), TOKENS, ids=lambda value: str(value)[:8])
class TestEveryFormat:
    def test_it_is_found(self, what: str, token: str) -> None:
        assert list(tokens(f"a {token}, and")) == [(token, what)]
        assert not list(tokens(f"Z{token}"))

    @pytest.mark.parametrize(
        "around", ["{}", "say {} now", "test_{}[1]", "'{}'", "a={}&b", "x[{}]", "--flag={}", "{}..."]
    )
    def test_four_characters_of_it_stay(self, what: str, token: str, around: str) -> None:
        assert token[:4] in clean(around.format(token))
        assert token[4:10] not in clean(around.format(token))
        assert token[-6:] not in clean(around.format(token))

    def test_a_cut_one_is_hidden_too(self, what: str, token: str) -> None:
        """An excerpt of 30 or 60 characters cuts through tokens."""
        start = max((s for item in FORMATS for s in item.starts if token.startswith(s)), key=len)
        secret = token.removeprefix(start)
        for limit in range(8, len(token) + 20):
            excerpt = clean(source_of(ast.parse(f"f('{token}', 1)"), limit))
            assert secret[:5] not in excerpt, excerpt

    def test_cleaning_twice_changes_nothing(self, what: str, token: str) -> None:
        once = clean(f"{token} https://u:{token}@h/")
        assert clean(once) == once


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("postgres://shop:hunter2@db:5432/x", "postgres://shop:<redacted>@db:5432/x"),
        ("redis://:hunter2@db", "redis://:<redacted>@db"),
        ("https://u:p@ss@host/", "https://u:<redacted>@host/"),
        ("connect('amqp://shop:hunter2hunt...", "connect('amqp://shop:<redacted>@..."),
        ("https://0a1b2c3d4e5f6a7b8c9d@o1.sentry.io/1", "https://0a1b<redacted>@o1.sentry.io/1"),
        ("mysql --user root --password swordfish -h db", "mysql --user root --password <redacted> -h db"),
        ("run --api-key=abcd1234 --fast", "run --api-key=<redacted> --fast"),
        ("['curl', '--token', 'abcd1234']", "['curl', '--token', '<redacted>']"),
        ("AWS_SECRET_ACCESS_KEY=abcd1234 make", "AWS_SECRET_ACCESS_KEY=<redacted> make"),
        ("login(password='swordfish')", "login(password='<redacted>')"),
        ('{"token": "swordfish", "n": 1}', '{"token": "<redacted>", "n": 1}'),
        ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer <redacted>"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2ln", "eyJh<redacted>"),
        (
            "-----BEGIN PRIVATE KEY-----MIIEvQ==-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----<redacted>-----END PRIVATE KEY-----",
        ),
        ("sk-" + "0a1b2c3d4e5f6a7b", "sk-<redacted>"),
    ],
)
def test_secrets_without_a_format_are_known_by_what_is_around_them(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "tests/unit/test_tokens.py::TestToken::test_refresh[param-1]",
        "assert token == 'abcdef'",
        "`monkey='banana'` is never used",
        "see http://localhost:8000...",
        "http://localhost:8000/a@b",
        "https://docs.pytest.org/en/stable/",
        "git@github.com:pytest-dev/pytest.git",
        "password=password, token=token",
        "wait for npm_config and pypi-server, task-runner, disk-image",
        "sleeps 2 s of real time",
        "def test(*, key=None): ...",
        "--tokens are counted",
        "KEY=<redacted>",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


def test_tokens_split_over_lines_and_in_long_texts_are_quick() -> None:
    """No input makes the expressions slow: each looks at a text in a time that grows with its length."""
    for hostile in (
        "://" * 30000,
        "a:" * 30000,
        "--password " * 9000,
        "eyJ" * 30000,
        "'" * 50000,
        "token='" * 9000,
        "A_" * 30000,
    ):
        clean(hostile)
        list(tokens(hostile))
        list(url_passwords(hostile))


@pytest.mark.parametrize(
    "text",
    ["A" * 30, "abcdefghijklmnopqrst", "EXAMPLEKEY7", "a1a1a1a1a1a1a1a1", "my-fake-thing-9z8y7x", "123456789qZ"],
)
def test_placeholders_are_recognised(text: str) -> None:
    assert is_made_up(text)


def test_passwords_of_urls_come_with_their_host() -> None:
    text = "postgres://shop:Wq9Zt4LmX8v2@db.shop.com:5432/x and http://a/b@c"
    assert list(url_passwords(text)) == [("Wq9Zt4LmX8v2", "db.shop.com")]
