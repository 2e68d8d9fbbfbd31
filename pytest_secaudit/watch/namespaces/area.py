"""The watcher of namespaces."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from types import ModuleType
from typing import Any, Final

from pytest_secaudit.redact import clean
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.namespaces.news import News
from pytest_secaudit.watch.namespaces.roots import Chunk, Modules, Root
from pytest_secaudit.watch.stack import Stack
from pytest_secaudit.watch.state import Change
from pytest_secaudit.watch.tapping import Taps

#: With so many modules on one wire it is quickly told which of them it was.
_IN_A_CHUNK: Final = 25
#: How many modules are looked at with every stage, beside that of the test.
_IN_FOCUS: Final = 12
#: In so many modules, the last in which something was found, it is looked once more before a claim.
_LOOKED_AT_AGAIN: Final = 100
#: So many places are named that are not looked into.
_NAMED: Final = 5


class Namespaces:
    """Watches what modules hold.

    Args:
        is_project: whether a module is the project's own, tests and product alike.
        test_path: the path of a test-side file as reports name it; empty for any other file.
        relative: a file name as the report writes it.
    """

    name = "namespaces"
    code = "PSA110"
    #: It is woken when a module is loaded, to see what it is like.
    stirred = ()

    def __init__(
        self,
        taps: Taps,  # noqa: ARG002 - the form of an area
        stack: Stack,  # noqa: ARG002
        is_project: Callable[[ModuleType], bool],
        test_path: Callable[[str], str],
        relative: Callable[[str], str] = str,
    ) -> None:
        self.off = ""
        self._test_path = test_path
        self._modules = Modules(is_project, test_path)
        self._news = News(self._modules, relative)
        self._chunks: list[Chunk] = []
        self._has_begun = False
        self._of_test: Root | None = None
        self._focus: dict[Root, None] = {}
        self._with_news: dict[Root, None] = {}
        self._fell_out: set[str] = set()
        #: The names of modules in which the last run found something, and those of this run.
        self.suspects: Collection[str] = ()
        #: Fixtures of the session are set up once more: what they leave harms those.
        self.sessions_recur = False
        self.found_in: set[str] = set()

    # --- looking

    def begin(self) -> None:
        """The test modules are loaded: what they and others hold counts from here on."""
        self._has_begun = True
        self.look()
        self._lay(self._modules.outside())

    def look(self) -> Iterable[Change]:
        """Other modules are loaded than before: the new ones are taken as they are."""
        if not self._has_begun:
            return ()
        new = self._modules.new()
        for root in new:
            if root.name in self.suspects:
                self._watch_closely(root)
        self._lay(new)
        return ()

    def _lay(self, roots: Sequence[Root]) -> None:
        for start in range(0, len(roots), _IN_A_CHUNK):
            chunk = Chunk(roots[start : start + _IN_A_CHUNK])
            chunk.lay()
            self._chunks.append(chunk)

    def attend(self, module: object) -> None:
        """Tests of this module are on stage from now on."""
        self._of_test = self._modules.root_of(module)

    def look_near(self) -> Iterable[Change]:
        """At the module of the test, and where something was found before."""
        roots = list(self._focus)
        if self._of_test is not None and self._of_test not in self._focus:
            roots.append(self._of_test)
        moved = [root for root in roots if not root.is_still()]
        return self._news_of(moved) if moved else ()

    def look_far(self) -> Iterable[Change]:
        """At all modules."""
        moved = [chunk for chunk in self._chunks if not chunk.is_still()]
        if not moved:
            return ()
        news = self._news_of([root for chunk in moved for root in chunk.roots if not root.is_still()])
        self._drop_unloaded(moved)
        for chunk in moved:
            chunk.lay()
        return news

    def look_again(self) -> Iterable[Change]:
        """Where something was found: it may have been put back since."""
        moved = [root for root in self._with_news if root.is_loaded and not root.is_still()]
        return self._news_of(moved) if moved else ()

    def _drop_unloaded(self, chunks: Iterable[Chunk]) -> None:
        for chunk in chunks:
            gone = [root for root in chunk.roots if not root.is_loaded]
            for root in gone:
                self._modules.forget(root)
                self._focus.pop(root, None)
                self._with_news.pop(root, None)
            chunk.roots = [root for root in chunk.roots if root not in gone]

    def _news_of(self, roots: Iterable[Root]) -> list[Change]:
        news: list[Change] = []
        for root in roots:
            changes = self._news.of(root)
            news += changes
            if changes:
                _keep_last(self._with_news, root, _LOOKED_AT_AGAIN)
            if any(self.level(change) != "info" for change in changes) and not root.is_outside:
                self._watch_closely(root)
                self.found_in.add(root.name)
        return news

    def _watch_closely(self, root: Root) -> None:
        """Something was found there: it will be again."""
        self._fell_out.update(clean(other.name) for other in _keep_last(self._focus, root, _IN_FOCUS))

    # --- telling

    @property
    def too_large(self) -> list[str]:
        """What is not looked into for its size."""
        return sorted({clean(place) for chunk in self._chunks for root in chunk.roots for place in root.too_large})

    @property
    def remark(self) -> str:
        """What the report says of it."""
        found = self.too_large
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        return f"not inside {', '.join(found[:_NAMED])}{more}: too large" if found else ""

    def code_of(self, change: Change) -> str:
        return self._news.code_of(change)

    def level(self, change: Change) -> str:
        return self._news.level_of(change)

    def is_harm_of(self, owner: Actor, change: Change) -> bool:
        if self.sessions_recur and owner.scope == "session":
            owner = owner._replace(scope="package")
        return self._news.is_harm_of(owner, change)

    def is_near(self, owner: Actor, change: Change) -> bool:
        """Whether every near look went there since: a module that stayed in focus, or the owner's own."""
        spot: Any = change.after
        names = {clean(root.name) for root in self._focus} - self._fell_out
        return spot.path == owner.path or spot.module in names

    def can_reach(self, owner: Actor, change: Change) -> bool:
        return self._news.can_reach(owner, change)

    def writing_lines(self, text: str, first: int, change: Change) -> set[int]:
        return self._news.writing_lines(text, first, change)

    def lines_of_one_of_several(self, text: str, first: int, change: Change) -> set[int]:
        return self._news.lines_of_one_of_several(text, first, change)

    def mentions(self, text: str, first: int, change: Change) -> bool:
        return self._news.mentions(text, first, change)

    def is_reset_by_set_up(self, text: str, first: int, change: Change) -> bool:
        return self._news.is_reset_by_set_up(text, first, change)

    def said(self, change: Change) -> str:
        return self._news.said(change)

    def fix(self, change: Change) -> str:
        return self._news.fix(change)

    def fix_for(self, owner: Actor, text: str, change: Change) -> str:
        return self._news.fix(change, owner, text)

    def settle(self) -> None:
        """Nothing ends by itself."""

    def stop(self) -> None:
        """Let go of the modules."""
        self._chunks.clear()
        self._focus.clear()
        self._with_news.clear()
        self._of_test = None
        self._modules = Modules(lambda _: False, self._test_path)


def _keep_last(roots: dict[Root, None], root: Root, most: int) -> list[Root]:
    """Put it last, and drop the first ones beyond so many: those."""
    roots.pop(root, None)
    roots[root] = None
    dropped = list(roots)[:-most]
    for one in dropped:
        del roots[one]
    return dropped
