"""No internal error, ever: what of ours raises inside a hook is kept as a note, and the run goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from pytest_secaudit.model import NotAudited
from pytest_secaudit.redact import clean

HookT = TypeVar("HookT", bound=Callable[..., Any])


class _Noting(Protocol):
    troubles: list[tuple[str, str]]


def careful(hook: HookT) -> HookT:
    """Make a hook method note its exceptions in ``self.troubles`` instead of raising them.

    KeyboardInterrupt and SystemExit pass: they are the user's.
    """

    @functools.wraps(hook)
    def guarded(self: _Noting, *args: Any, **kwargs: Any) -> Any:
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            self.troubles.append((hook.__name__, clean(f"{type(error).__name__}: {error}")))
            return None

    return guarded  # type: ignore[return-value]


def noted(troubles: Iterable[tuple[str, str]]) -> Iterator[NotAudited]:
    """What failed inside the audit itself, to be said in the open."""
    return (NotAudited(hook, f"the audit failed here: {error}") for hook, error in troubles)
