"""How `no_leaks` is typed: ``mypy --strict`` accepts this file, and says so where a line is marked as wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest
from typing_extensions import assert_type

from pytest_secaudit import Leak, Leaked, NoLeaks, Secaudit, no_leaks


@no_leaks()
def add(one: int, other: int = 2, *, name: str = "") -> int:
    return one + other + len(name)


@no_leaks("environ", "cwd")
async def fetch(url: str) -> bytes:
    return url.encode()


class Shop:
    @no_leaks()
    def open(self, door: str) -> Shop:
        return self

    @staticmethod
    @no_leaks()
    def sign() -> str:
        return "shop"


@pytest.fixture
@no_leaks()
def server() -> Iterator[int]:
    yield 80
    assert add(1) == 3


@pytest.fixture
def watched(secaudit: Secaudit) -> Iterator[NoLeaks]:
    with secaudit.no_leaks("threads") as block:
        yield block


def a_block() -> tuple[Leak, ...]:
    with no_leaks() as block:
        assert_type(block, NoLeaks)
    return block.left


async def an_asynchronous_block() -> AsyncIterator[str]:
    async with no_leaks("async tasks") as block:
        pass
    for leak in block.left:
        yield assert_type(leak.written_at, str)


def test_uses(secaudit: Secaudit) -> None:
    assert_type(add(1, name="x"), int)
    _ = assert_type(fetch("x"), Coroutine[Any, Any, bytes])
    assert_type(Shop().open("front"), Shop)
    assert_type(Shop.sign(), str)
    with pytest.raises(Leaked) as failed, secaudit.no_leaks():
        add(1)
    assert_type(failed.value.left, tuple[Leak, ...])
    call: Callable[[int], int] = add
    assert call(1) == 3
    add("1")  # type: ignore[arg-type]
    no_leaks(1)  # type: ignore[arg-type]
    Shop().open()  # type: ignore[call-arg]
