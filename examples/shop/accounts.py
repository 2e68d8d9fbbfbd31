"""Who may come in, and what they may do."""

from __future__ import annotations

import hashlib
import hmac
import secrets


class Rejected(Exception):
    """The login was refused."""

    def __init__(self, reason: str, attempts_left: int) -> None:
        super().__init__(reason)
        self.attempts_left = attempts_left


class Accounts:
    """Passwords, roles and the tokens of those who are logged in."""

    def __init__(self, attempts: int = 3) -> None:
        self.attempts = attempts
        self.audit_trail: list[str] = []
        self._users: dict[str, tuple[bytes, bytes]] = {}
        self._roles: dict[str, str] = {}
        self._failures: dict[str, int] = {}
        self._tokens: dict[str, str] = {}

    def add(self, name: str, password: str, role: str = "customer") -> None:
        salt = secrets.token_bytes(8)
        self._users[name] = (salt, _digest(password, salt))
        self._roles[name] = role

    def login(self, name: str, password: str) -> str:
        """A new token.

        Raises:
            Rejected: when the password is wrong or the account is locked.
        """
        failures = self._failures.get(name, 0)
        if failures >= self.attempts:
            raise Rejected("the account is locked", 0)
        salt, expected = self._users.get(name, (b"", b""))
        if not hmac.compare_digest(_digest(password, salt), expected):
            self._failures[name] = failures + 1
            self.audit_trail.append(f"refused {name}")
            raise Rejected("wrong name or password", self.attempts - failures - 1)
        token = secrets.token_hex(8)
        self._tokens[token] = name
        return token

    def logout(self, token: str) -> None:
        self._tokens.pop(token, None)

    def is_valid(self, token: str) -> bool:
        return token in self._tokens

    def may(self, name: str, action: str) -> bool:
        return action == "buy" or self._roles.get(name) == "admin"


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.sha256(salt + password.encode()).digest()
