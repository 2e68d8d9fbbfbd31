"""Secrets in what is shown: which count, which do not, and that nothing of them is kept."""

from __future__ import annotations

import logging
import random
import re
import string
import sys
import threading
import types
from collections.abc import Iterator

import pytest

from pytest_secaudit.secrets_formats import is_made_up, tokens
from pytest_secaudit.watch import noticing
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.outputs import Outputs
from pytest_secaudit.watch.record import Noticed
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.tapping import Taps

AWS = "AK" + "IAQ3ZJ7WKD5XMB2LTP"
GITHUB = "gh" + "p_9fKq2LzWc7RtY0bVxN4mJd8HsPa3GuEoTi6C"
PASSWORD = "p7Rk" + "2Wq9Zt4LmX8v"
URL = f"https://deploy:{PASSWORD}@git.shop.com/orders.git"

UPLOAD = Actor("test", "tests/test_shop.py::test_upload", path="tests/test_shop.py", line=3)


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outputs]:
    for name in ("moto", "botocore", "localstack"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    taps = Taps()
    yield Outputs(taps, Stack(lambda path: path, lambda path: path == __file__), lambda: (UPLOAD, False))
    taps.take_back()


@pytest.fixture
def log() -> logging.Logger:
    """A logger whose records nobody else shows: our own output is looked at too."""
    logger = logging.Logger("shop")  # noqa: LOG001 - without a parent
    logger.addHandler(logging.NullHandler())
    return logger


def test_a_token_in_a_test_id(outputs: Outputs) -> None:
    outputs.scan("test id", f"tests/test_shop.py::test_upload[{AWS}]", UPLOAD)
    (found,) = outputs.drain()
    assert re.fullmatch(r"AWS access key AKIA<redacted>(\.\.\.)? \([0-9a-f]{8}\) in test id", found.subject)
    assert (found.code, found.owner.id, found.security) == ("PSA302", UPLOAD.id, "credential")
    assert found.message.startswith("a test id shows what has the format of a live AWS access key")
    assert AWS not in repr(found)
    assert found.place is None
    assert outputs.drain() == ()


def test_a_url_password_is_not_shown_at_all(outputs: Outputs) -> None:
    outputs.scan("captured stderr call", f"cloning {URL}", UPLOAD)
    (found,) = outputs.drain()
    assert re.fullmatch(r"URL password \([0-9a-f]{8}\) in captured stderr", found.subject)
    assert PASSWORD[:4] not in repr(found)


def test_one_secret_in_many_tests_is_one_subject_and_two_secrets_are_two(outputs: Outputs) -> None:
    for number in range(500):
        for phase in ("setup", "call"):
            owner = Actor("test", f"tests/test_shop.py::test_{number}")
            outputs.scan(f"captured stdout {phase}", f"key {AWS}", owner)
    found = outputs.drain()
    assert len({one.subject for one in found}) == 1
    assert len(found) == noticing.MAX_OWNERS
    outputs.scan("captured stdout call", AWS[:-1] + "Q", UPLOAD)
    outputs.scan("failure text", AWS, UPLOAD)
    assert len({one.subject for one in (*found, *outputs.drain())}) == 3


def test_memory_is_bounded(outputs: Outputs) -> None:
    draw = random.Random(7)
    for _ in range(300):
        token = "gh" + "p_" + "".join(draw.choice(string.ascii_letters + string.digits) for _ in range(36))
        outputs.scan("captured stdout", token, UPLOAD)
    assert len(outputs.drain()) == noticing.MAX_SUBJECTS


@pytest.mark.parametrize(
    "text",
    [
        "nothing at all",
        f"{AWS[:4]}IOSFODNN7EXAMPLE",
        "gh" "p_" + "x" * 36,
        f"postgresql://shop:{PASSWORD}@localhost:5432/shop",
        f'FAKE_TOKEN = "{GITHUB}"',
        f"dummy_key={AWS}",
        f"login(invalid('{GITHUB}'))",
        "http://shop.com/orders",
    ],
    ids=range(8),
)  # fmt: skip
def test_what_cannot_work_is_silent(outputs: Outputs, text: str) -> None:
    outputs.scan("captured stdout", text, UPLOAD)
    assert outputs.drain() == ()


@pytest.mark.parametrize("text", [f"Invalid token: {GITHUB}", f"expired {GITHUB}", f"TOKEN={GITHUB}"], ids=range(3))
def test_a_message_about_a_token_is_no_excuse(outputs: Outputs, text: str) -> None:
    outputs.scan("captured stdout", text, UPLOAD)
    assert len(outputs.drain()) == 1


@pytest.mark.parametrize("name", ["test_redacts_tokens", "TestSecretScanner::test_github", "test_masked"])
def test_tests_about_secrets_are_silent(outputs: Outputs, name: str) -> None:
    outputs.scan("captured stdout", AWS, Actor("test", f"tests/test_shop.py::{name}"))
    assert outputs.drain() == ()


def test_keys_are_at_home_where_moto_makes_them(outputs: Outputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moto", types.ModuleType("moto"))
    outputs.scan("captured stdout", f"{AWS} {GITHUB}", UPLOAD)
    (found,) = outputs.drain()
    assert found.subject.startswith("GitHub token")


def test_only_plain_text_is_read(outputs: Outputs) -> None:
    class Text(str):
        __slots__ = ()

        def __contains__(self, part: object) -> bool:
            raise AssertionError("nobody asks")

    outputs.scan("failure text", Text(AWS), UPLOAD)
    outputs.scan("failure text", None, UPLOAD)  # type: ignore[arg-type]
    assert outputs.drain() == ()


# --- log records


class Hostile:
    def __str__(self) -> str:
        raise AssertionError("nobody asks")

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        raise AssertionError("nobody asks")

    __hash__ = None  # type: ignore[assignment]


def line_of(text: str) -> int:
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if text in line and "line_of" not in line)


def test_a_log_record_is_placed_at_its_line(outputs: Outputs, log: logging.Logger) -> None:
    log.error("the token was %s", GITHUB)  # here
    (found,) = outputs.drain()
    assert found.subject.endswith("in log record")
    assert found.place is not None
    assert (found.place.path, found.place.line) == (__file__, line_of("GITHUB)  # here"))
    assert found.owner.id == UPLOAD.id


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        (f"the token was {GITHUB}", ()),
        ("%s of %s has %s", ("a", 1, GITHUB)),
        ("%(token)s", ({"token": GITHUB},)),
        (f"{GITHUB} for %s", ("alice",)),
    ],
    ids=range(4),
)
def test_messages_and_text_arguments_are_read(
    outputs: Outputs, log: logging.Logger, message: str, arguments: tuple[object, ...]
) -> None:
    for _ in range(2):  # a message that was once harmless is remembered
        log.error(message, *arguments)
        assert len(outputs.drain()) == 1
        outputs._noticed._owners.clear()


def test_a_harmless_message_is_read_once_and_its_arguments_each_time(outputs: Outputs, log: logging.Logger) -> None:
    message = "the answer of the service was this: %s"
    log.error(message, "yes")
    assert message in outputs._harmless
    log.error(message, GITHUB)
    assert len(outputs.drain()) == 1
    log.error(f"the answer was {Noticed.__name__} to the question")  # noqa: G004
    assert len(outputs._harmless) == 1


def test_nobody_is_asked_for_their_text(outputs: Outputs, log: logging.Logger) -> None:
    log.error(Hostile())
    log.error("%s and %s", Hostile(), [GITHUB])
    log.error("%s", type("Text", (str,), {"__len__": Hostile.__str__})(GITHUB))
    assert outputs.drain() == ()


def test_what_a_level_stops_is_not_shown(outputs: Outputs, log: logging.Logger) -> None:
    log.setLevel(logging.ERROR)
    log.info(GITHUB)
    assert outputs.drain() == ()


def test_what_a_filter_stops_or_hides_is_not_shown(outputs: Outputs, log: logging.Logger) -> None:
    def hide(record: logging.LogRecord) -> bool:
        record.msg, record.args = str(record.msg).replace(GITHUB, "***"), ()
        return "quiet" not in record.msg

    log.error(GITHUB)
    assert len(outputs.drain()) == 1
    outputs._noticed._owners.clear()
    log.addFilter(hide)
    log.error(GITHUB)
    log.error("quiet " + GITHUB)  # noqa: G003
    assert outputs.drain() == ()


def test_records_of_odd_make_pass(outputs: Outputs, log: logging.Logger) -> None:
    seen: list[object] = []
    log.callHandlers(types.SimpleNamespace(msg=GITHUB, levelno=0))  # type: ignore[arg-type] # without arguments
    handler = logging.Handler()
    handler.emit = seen.append  # type: ignore[method-assign]
    log.addHandler(handler)
    log.error("%s", "x")
    assert len(seen) == 1


def test_a_record_and_its_capture_are_one(outputs: Outputs, log: logging.Logger) -> None:
    log.error(GITHUB)
    outputs.scan("captured log call", f"ERROR {GITHUB}", UPLOAD)
    assert len(outputs.drain()) == 1


def test_a_thread_logs_too(outputs: Outputs, log: logging.Logger) -> None:
    thread = threading.Thread(target=log.error, args=(GITHUB,))
    thread.start()
    thread.join()
    assert len(outputs.drain()) == 1


def test_an_exception_of_a_handler_passes(outputs: Outputs, log: logging.Logger) -> None:
    def emit(record: logging.LogRecord) -> None:
        raise KeyError(record.name)

    handler = logging.Handler()
    handler.emit = emit  # type: ignore[method-assign]
    log.addHandler(handler)
    with pytest.raises(KeyError) as raised:
        log.error("x")
    assert raised.value.__context__ is None


def test_the_examples_of_this_file_are_what_they_should_be() -> None:
    assert [what for text in (AWS, GITHUB) for _, what in tokens(text)] == ["AWS access key", "GitHub token"]
    assert not is_made_up(AWS)
    assert not is_made_up(GITHUB)
