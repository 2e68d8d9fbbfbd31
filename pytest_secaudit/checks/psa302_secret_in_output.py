"""A live-format secret stands in what the run shows: a test id, captured output, a log record, a failure text.

Output of tests is kept by CI systems, mailed, pasted into issues and read by many who may not know the secret. Unlike
the source, nobody looks after it, and deleting the line that printed it takes nothing back. A parameter's value becomes
part of the test's id, and so of every report and cache.

Instead: revoke it. Give parameters ids (`pytest.param(key, id="live key")`), log names instead of values, hide a
credential's value in its `__repr__`, and let tests use values that cannot work (`"ghp_" + "x" * 36`).

Provider formats and long random passwords in URLs are looked for. Tests whose names or paths say that they are about
redaction, masking or scanning are left out, as are names such as `FAKE_TOKEN` right before the value, passwords for local
hosts, and AWS keys where moto or botocore is loaded. Of log records the message and its text arguments are read as they
reach the handlers, also where no handler shows them. Shown is the kind of secret and four bytes of a hash, by which its
owner can tell which it is; one secret in one kind of output is one finding, however many tests show it.
"""

from __future__ import annotations

from pytest_secaudit.model import DEFECT, Check

# Put together here, so that no scanner takes our own examples for what they are examples of.
_GITHUB = "gh" + "p_9fKq2LzWc7RtY0bVxN4mJd8HsPa3GuEoTi6C"
_AWS = "AK" + "IAQ3ZJ7WKD5XMB2LTP"
_GITLAB = "gl" + "pat-Xq7_RmZ2kWv9TnLd4cYp"
_PASSWORD = "p7Rk" + "2Wq9Zt4LmX8v"

BAD = (
    f'''
import logging
import sys
import pytest

TOKEN = "{_GITHUB}"
URL = "https://deploy:{_PASSWORD}@git.shop.com/orders.git"

def test_upload():  # PSA302
    print("logging in with", TOKEN)

def test_clone():  # PSA302
    sys.stderr.write("cloning " + URL)

def test_retry():
    logging.getLogger("shop").warning("no answer, token was %s", TOKEN)  # PSA302

@pytest.mark.parametrize("key", ["{_AWS}"])  # PSA302
def test_key(key):
    assert key

def test_same(monkeypatch):  # PSA302
    assert {{"token": TOKEN}} == {{"token": ""}}
''',
)
GOOD = (
    f'''
import logging
import pytest

TOKEN = "{_GITHUB}"

@pytest.mark.parametrize("key", [pytest.param("{_AWS}", id="live key")])
def test_key(key):
    logging.getLogger("shop").warning("no answer, the token ends in %s", TOKEN[-2:])
    print("logging in with", TOKEN[:4] + "***")

def test_read_by_the_test(capsys):
    print(TOKEN)
    assert capsys.readouterr().out

@pytest.mark.parametrize("key", ["{_AWS[:4]}IOSFODNN7EXAMPLE", "{_GITLAB[:6]}fake_fake_fake_fake1"])
def test_made_up(key):
    print(key, "postgresql://shop:{_PASSWORD}@localhost:5432/shop")
    print("FAKE_TOKEN={_GITLAB}")

class Token:
    def __init__(self, value):
        self.value = value

    def __str__(self):
        raise AssertionError("nobody asks")

def test_redacts_tokens(caplog):
    print(TOKEN)

def test_never_shown():
    log = logging.getLogger("shop.quiet")
    log.setLevel(logging.ERROR)
    log.info(TOKEN)
    log.info("%s", Token(TOKEN))
''',
)

CHECK = Check("PSA302", "secret-in-output", DEFECT, __doc__, BAD, GOOD, cwe=532)
