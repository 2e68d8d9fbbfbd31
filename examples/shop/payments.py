"""The bank, as far as the shop knows it."""

from __future__ import annotations

import hashlib
import hmac
import os

_KEY = os.urandom(16)

ledger: list[tuple[str, int]] = []


class Declined(Exception):
    """The bank refused."""

    def __init__(self, code: int) -> None:
        super().__init__(f"declined with code {code}")
        self.code = code


def charge(customer: str, amount: int) -> int:
    """The number of the entry in the ledger.

    Raises:
        Declined: for an amount that is not positive.
    """
    if amount <= 0:
        raise Declined(13)
    ledger.append((customer, amount))
    return len(ledger)


def refund(customer: str, amount: int) -> int:
    ledger.append((customer, -amount))
    return len(ledger)


def bank_url() -> str:
    """Where charges go; a bank for tests may be spoken to in plain text."""
    return os.environ.get("SHOP_BANK_URL", "https://bank.toyshop")


def sign(message: bytes) -> str:
    return hmac.new(_KEY, message, hashlib.sha256).hexdigest()


def verify_signature(message: bytes, signature: str) -> bool:
    return hmac.compare_digest(sign(message), signature)


def hear(message: bytes, signature: str) -> str:
    """What the bank tells us, if it is the bank.

    Raises:
        PermissionError: when the signature is not the bank's.
    """
    if not verify_signature(message, signature):
        raise PermissionError("somebody else signed this")
    return message.decode()
