"""Which comments and docstrings explain a sleep, and which stand near it by chance."""

from __future__ import annotations

import textwrap

import pytest

from pytest_secaudit.checks import built_in
from pytest_secaudit.rules import read

CHECKS = [check for check in built_in() if check.code == "PSA701"]


def quoted(source: str) -> str | None:
    """What the one sleep of the file is acknowledged by."""
    found = read(textwrap.dedent(source).encode(), "tests/test_a.py", CHECKS)
    assert (found.error, found.failures) == (None, ())
    (hit,) = found.hits
    assert (hit.severity.word == "info") is (hit.acknowledged is not None)
    return hit.acknowledged


@pytest.mark.parametrize(
    "comment",
    [
        "Get the current user",
        "Should be a hit",
        "Start a server.",
        "obviously doesn't delete it, because the loop has a strong reference",
        "the test for https://example.org/issues/2625",
        "ConnectionRefusedError for http, FileNotFoundError for unix",
        "the instance is gone so we're happy",
        "Test revoking a delayed task in a queue",
        "Docs indicate this should throw, but this is allowed",
        "the server waits for the client",
        "give the user a ticket, which is used later to start the order",
    ],
)
def test_a_comment_about_something_else(comment: str) -> None:
    assert quoted(f"import time\ndef test_a(user):\n    # {comment}\n    time.sleep(2)\n    assert user.name\n") is None


@pytest.mark.parametrize(
    "comment",
    [
        "Wait for the second caller to start trying to init",
        "Give t2 time to enter get_executors",
        "Start the second mount, and ensure it's got plenty of opportunity",
        "While ctl_a is umounting, start both, so that they race",
        "sleep a bit to let the loop go on",
        "killing a process too soon after creating it is not what we test",
        "Logging Config is not immediately available",
        "Resources take a while to deregister",
        "Policy is not ready yet",
        "longer than the visibility timeout",
        "ensure that the second time is later than the first",
        "let the file system see another mtime",
        "the broker needs a moment to notice",
        "a second has not gone by",
    ],
)
def test_a_comment_that_says_why(comment: str) -> None:
    source = f"import time\ndef test_a(user):\n    # {comment}\n    time.sleep(2)\n    assert user.name\n"
    assert quoted(source) == f"3: {comment}"


def test_behind_the_sleep_any_prose_is_about_it() -> None:
    assert (
        quoted("import time\ndef test_a():\n    time.sleep(1)  # hold the socket open\n") == "3: hold the socket open"
    )
    assert quoted("import time\ndef test_a():\n    time.sleep(1)  # ugly\n") is None
    assert quoted("import time\ndef test_a():\n    # Get the user\n    time.sleep(1)  # ugly\n") is None


def test_a_comment_of_several_lines_is_judged_and_quoted_as_a_whole() -> None:
    source = """
    import time
    def test_a():
        # wait a bit so that the wrapper is picking it up and waiting for its
        # deadline of task1
        time.sleep(1)
    """
    assert (
        quoted(source) == "4-5: wait a bit so that the wrapper is picking it up and waiting for its deadline of task1"
    )


def test_what_somebody_else_waits_for() -> None:
    source = """
    import time
    def test_a(server):
        "%s"
        server.send("x")
        time.sleep(2.5)
        assert server.open
    """
    assert quoted(source % "the server waits for the event to be set before it closes") is None
    assert quoted(source % "Test that when the portal exits, it waits for all tasks to finish.") is None
    assert quoted(source % "Waits for the server, which has no event.") is not None
    assert quoted(source % "We have to wait for the server.") is not None
