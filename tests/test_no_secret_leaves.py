"""Secrets are planted wherever users write text; no byte of what leaves us may hold one.

Looked at are our section of the terminal, every report and our part of pytest's cache. What pytest
prints itself (ids, tracebacks) is not ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Put together here, so that no scanner takes them for real.
GITHUB = "gh" + "p_9fKq2LzWc7RtY0bVxN4mJd8HsPa3GuEoTi6C"
AWS = "AK" + "IAQ3ZJ7WKD5XMB2LTP"
GITLAB = "gl" + "pat-Xq7_RmZ2kWv9TnLd4cYp"
STRIPE = "sk_" + "live_4Kq9ZtWm2RxLv7PbNc8dYs3H"
SLACK = "xox" + "b-830174629581-Kq9ZtWm2RxLv7PbNc8dYs3Hj"
NPM = "np" + "m_7RtY0bVxN4mJd8HsPa3GuEoTi6C9fKq2LzWc"
PASSWORD = "p7Rk" + "2Wq9Zt4LmX8v"
URL = f"https://deploy:{PASSWORD}@git.shop.com/orders.git"
SECRETS = (GITHUB, AWS, GITLAB, STRIPE, SLACK, NPM, PASSWORD)

CONFTEST = f'''
import os
import pytest

@pytest.fixture(name="{GITHUB}")
def login():
    os.environ["{NPM}"] = "{AWS}"
    return "{GITLAB}"

@pytest.fixture(scope="session")
def fx_{STRIPE}():
    return {{}}
'''
TESTS = f'''
import os
import sys
import threading
import time
import unittest
from unittest import mock

import pytest
import shop

TOKEN = "{GITHUB}"

def test_{GITHUB}():
    assert "{AWS}"
    assert 1 == 1, "{AWS}"
    TOKEN == "{GITLAB}"

class Test_{NPM}(unittest.TestCase):
    def setUp(self):
        shop.{STRIPE} = mock.Mock()
        sys.argv = ["{SLACK}", "--password", "{PASSWORD}"]

    def test_a(self):
        self.assertTrue(shop.call("{GITHUB}"), 1)
        self.assertTrue("{URL}")
        with self.assertRaises(ValueError):
            shop.call("{URL}", "{GITLAB}")
            self.assertEqual("{AWS}", shop.call("{NPM}"))

@pytest.mark.parametrize("value", ["{AWS}", "{URL}", "{GITLAB}"], ids=["{AWS}", "{URL}", "{GITLAB}"])
def test_ids(value):
    # the {SLACK} needs a moment, see {URL}
    time.sleep(0.002)
    os.environ[value] = value
    os.environ["{GITLAB}"] = "{STRIPE}"

def test_ignored():
    time.sleep(0.002)  # secaudit: ignore[PSA701] {NPM} is for {URL}
    time.sleep(0.003)  # secaudit: ignore[{GITHUB}] nothing
    assert "{AWS}"  # secaudit: ignore[PSA999] {SLACK}
    # secaudit: ignore[PSA701 {GITLAB}

@pytest.mark.secaudit(ignore=["PSA701", "{AWS}"], reason="{GITHUB} until {URL}", until="2000-01-01")
def test_marked():
    time.sleep(0.002)

@pytest.mark.secaudit(ignore=["PSA701"], reason="{SLACK}", until="{NPM}")
def test_marked_wrongly():
    time.sleep(0.002)

def test_cut():
    assert shop.call(one="a", two="b", three="{GITHUB}", four="{URL}") or "{SLACK}"
    assert ("{GITHUB}", "x" * 30)
    shop.call(1, 2, 3, "{URL}") == shop.call("{STRIPE}", "{NPM}")

def test_polls():
    while shop.state != "{NPM}":
        time.sleep(0.1)
        break

def test_patched():
    with mock.patch("shop.{STRIPE}", side_effect=lambda: time.sleep(0.002)):
        pass

def test_changes(fx_{STRIPE}):
    shop.{STRIPE} = "{GITLAB}"
    fx_{STRIPE}["{SLACK}"] = 1
    os.chdir(".")
    mock.patch("shop.{GITHUB}").start()

def test_only_in_except():
    try:
        shop.call("{GITHUB}", "{URL}")
    except KeyError as error:
        assert "{AWS}" in str(error)

def test_conditional():
    for found in shop.call("{GITLAB}"):
        assert found == "{STRIPE}"

def test_threads():
    threading.Thread(name="{STRIPE}", target=shop.call).start()
'''
SHOP = "state = 'ready'\n\ndef call(*args, **options):\n    return []\n"
INI = f"""
[pytest]
secaudit_expected =
    PSA501 shop.{STRIPE} *::test_patched  {GITHUB} is meant, see {URL}
    PSA101 os.environ*  {SLACK} for the tests
secaudit_per_file_ignores =
    {GITLAB}/*: PSA001
    test_ignored_{AWS}.py: PSA004
secaudit_ignore = PSA802
"""


@pytest.fixture
def planted(pytester: pytest.Pytester) -> Path:
    pytester.makeconftest(CONFTEST)
    pytester.makeini(INI)
    folder = pytester.mkpydir(f"suite_{NPM}")
    for name, text in (
        ("shop.py", SHOP),
        (f"test_{GITHUB}.py", TESTS),
        (f"test_ignored_{AWS}.py", f"def test_a():\n    assert '{SLACK}'\n"),
        (f"test_broken_{GITLAB}.py", f"def test_a():\n    x = '{SLACK}' '{URL}\n"),
        (f"test_fails_{STRIPE}.py", f"raise RuntimeError('{GITHUB}')\n"),
    ):
        (folder / name if name != "shop.py" else pytester.path / name).write_text(text)
    return pytester.path


def leaks(data: bytes) -> list[str]:
    """Every planted secret of which more than its first four characters stand in ``data``, with its surroundings."""
    text = data.decode("utf-8", "replace")
    found = []
    for secret in SECRETS:
        # The fixed beginning of a format is no secret; what is behind it is, wherever it was cut.
        pieces = {secret[at : at + 7] for at in range(4, len(secret) - 6)}
        if secret is PASSWORD:
            pieces.add(secret[:5])
        for piece in pieces:
            if piece in text:
                at = text.index(piece)
                found.append(text[max(0, at - 60) : at + 20])
                break
    return found


def section(result: pytest.RunResult) -> bytes:
    """What we print: the section, the line of ``-q``, and nothing of pytest's own."""
    lines = result.outlines
    ours = [
        line for line in lines if line.startswith(("audit: ", "secaudit:", "tests passed; the audit", "the audit "))
    ]
    starts = [number for number, line in enumerate(lines) if "test-suite audit" in line]
    if starts:
        rest = lines[starts[0] + 1 :]
        end = next((number for number, line in enumerate(rest) if line.startswith("===")), len(rest))
        ours += rest[:end]
    assert ours, "the audit printed nothing"
    return "\n".join(ours).encode()


def cached(root: Path) -> bytes:
    return b"\n".join(file.read_bytes() for file in sorted(root.glob(".pytest_cache/d/secaudit/*")))


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-v",),
        ("-vv",),
        ("-q",),
        ("-vv", "--secaudit-no-suppress"),
        ("-vv", "--secaudit-fail-on=info"),
        ("--collect-only", "-vv"),
        ("-n2", "-vv"),
    ],
    ids=" ".join,
)
def test_no_secret_leaves_a_run(planted: Path, pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    if "-n2" in options:
        pytest.importorskip("xdist")
    for _ in range(2):  # the second one speaks from the cache
        result = pytester.runpytest_subprocess(
            "--secaudit", "--secaudit-report=json:audit.json", "--continue-on-collection-errors", *options
        )
        report = (planted / "audit.json").read_bytes()
        assert len(json.loads(report)["findings"]) > 15
        found = {"section": leaks(section(result)), "report": leaks(report), "cache": leaks(cached(planted))}
        assert found == {"section": [], "report": [], "cache": []}


@pytest.mark.parametrize("options", [(), ("-vv",), ("--format=json",), ("-v", "--fail-on=info")], ids=" ".join)
def test_no_secret_leaves_the_command(planted: Path, options: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pytest_secaudit", "check", f"suite_{NPM}", "conftest.py", *options]
    root = str(Path(__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": root}
    done = subprocess.run(command, capture_output=True, cwd=planted, env=env, check=False)
    assert len(done.stdout) > 500
    assert leaks(done.stdout + done.stderr) == []


def test_the_search_finds_what_it_is_meant_to_find() -> None:
    for secret in SECRETS:
        assert leaks(f"x {secret} y".encode())
        assert leaks(f"x {secret[:14]}... y".encode())
        assert not leaks(f"x {secret[:4]}<redacted> y".encode())
