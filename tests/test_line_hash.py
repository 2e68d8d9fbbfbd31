"""GitHub's hash of a line: the published vectors, and a slow second opinion on random text."""

from __future__ import annotations

import random

import pytest

from pytest_secaudit.reports.line_hash import line_hashes

GREETINGS = [
    "e9496ae3ebfced30:1",
    "fb7c023a8b9ccb3f:1",
    "ce8ba1a563dcdaca:1",
    "e20e36e16fcb0cc8:1",
    "b3edc88f2938467e:1",
    "c8e28b0b4002a3a0:1",
    "c129715d7a2bc9a3:1",
]

#: Of src/fingerprints.test.ts in github/codeql-action.
VECTORS = {
    "": ["c129715d7a2bc9a3:1"],
    " a\nb\n  \t\tc\n d": ["271789c17abda88f:1", "54703d4cd895b18:1", "180aee12dab6264:1", "a23a3dc5e078b07b:1"],
    " hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End": [
        "8b7cf3e952e7aeb2:1",
        "b1ae1287ec4718d9:1",
        "bff680108adb0fcc:1",
        "c6805c5e1288b612:1",
        "b86d3392aea1be30:1",
        "e6ceba753e1a442:1",
    ],
    " hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n": GREETINGS,
    " hello; \t\nworld!!!\r\r\r  \t\tGreetings\r End\r": GREETINGS,
    " hello; \t\r\nworld!!!\r\n\r\n\r\n  \t\tGreetings\r\n End\r\n": GREETINGS,
    " hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n": GREETINGS,
    "Lorem ipsum dolor sit amet.\n" * 10: [
        "a7f2ff13bc495cf2:1",
        "a7f2ff13bc495cf2:2",
        "a7f2ff13bc495cf2:3",
        "a7f2ff13bc495cf2:4",
        "a7f2ff13bc495cf2:5",
        "a7f2ff13bc495cf2:6",
        "a7f2ff1481e87703:1",
        "a9cf91f7bbf1862b:1",
        "55ec222b86bcae53:1",
        "cc97dc7b1d7d8f7b:1",
        "c129715d7a2bc9a3:1",
    ],
    "x = 2\nx = 1\nprint(x)\nx = 3\nprint(x)\nx = 4\nprint(x)\n": [
        "e54938cc54b302f1:1",
        "bb609acbe9138d60:1",
        "1131fd5871777f34:1",
        "5c482a0f8b35ea28:1",
        "54517377da7028d2:1",
        "2c644846cb18d53e:1",
        "f1b89f20de0d133:1",
        "c129715d7a2bc9a3:1",
    ],
}


@pytest.mark.parametrize("text", VECTORS)
def test_the_published_vectors(text: str) -> None:
    assert list(line_hashes(text)) == VECTORS[text]


def by_the_letter(text: str) -> list[str]:
    """The words of GitHub's description, one character at a time."""
    lines: list[str] = [""]
    before = ""
    for character in text:
        if not (before == "\r" and character == "\n"):
            lines[-1] += "\n" if character in "\r\n" else character
            if character in "\r\n":
                lines.append("")
        before = character
    kept = [line.replace(" ", "").replace("\t", "") for line in lines]
    found: list[str] = []
    for number in range(len(kept)):
        encoded = "".join(kept[number:]).encode("utf-16-be", "surrogatepass")
        units = [int.from_bytes(encoded[at : at + 2], "big") for at in range(0, len(encoded), 2)] + [65535] + [0] * 100
        value = 0
        for unit in units[:100]:
            value = (value * 37 + unit) % 2**64
        count = sum(one.partition(":")[0] == f"{value:x}" for one in found)
        found.append(f"{value:x}:{count + 1}")
    return found


ALPHABET = "ab  \t\n\n\r\r\néß語\U0001f600\ufeff\ud800\x0b\x0c\x85\u2028"


def test_random_text_is_hashed_by_the_letter() -> None:
    chance = random.Random(0)
    for _ in range(300):
        text = "".join(chance.choices(ALPHABET, k=chance.randrange(250)))
        assert list(line_hashes(text)) == by_the_letter(text)


def test_only_what_breaks_a_line_for_python_breaks_it_here() -> None:
    """The numbers of the report count lines as Python does: no form feed, no separator of Unicode ends one."""
    assert len(line_hashes("a\x0bb\x0cc\x85d\u2028e\nf\r\ng\rh")) == 4


def test_a_line_is_known_again_after_lines_were_added_above_it() -> None:
    below = "def test_a():\n    assert shop.open()\n" + "# filler that is longer than a block\n" * 4
    moved = "import shop\n\n\n" + below
    assert line_hashes(moved)[3:5] == line_hashes(below)[:2]
