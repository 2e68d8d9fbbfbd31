"""What is said of a change in a namespace: which hazard it is, how grave, and how to go on after "left SUBJECT"."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from pytest_secaudit.lean import lean
from pytest_secaudit.redact import clean
from pytest_secaudit.strangers import with_article
from pytest_secaudit.watch.fixes import name_in
from pytest_secaudit.watch.ledger import Actor
from pytest_secaudit.watch.namespaces.differences import Content, has_only_grown
from pytest_secaudit.watch.namespaces.kinds import CONTAINERS, NAMED, Kind
from pytest_secaudit.watch.state import ABSENT, Change, Held

#: Of these the value is said. Text may be a password.
_SHOWN: Final = ("bool", "complex", "float", "int", "NoneType")
_DONE: Final = re.compile(r"load|init|config|set_?up|ready|done|regist|start|install|import|cached|warned|seen|called")
_PLAIN: Final = (*_SHOWN, "bytes", "str")
#: An argument of a function, and the way to what is in it.
_ARGUMENT: Final = re.compile(r"\(([^()]+)\)(.*)$")
_INDEX: Final = re.compile(r"\[(\d+)\]")
#: The last key on the way, if it is a text.
_KEY: Final = re.compile(r"\['([^'\\]*)'\]$")
#: Names of numbers that go up with every use.
_COUNTS: Final = re.compile(r"count|next|last|id$|ids$|index|seq|serial|total|calls|hits|miss|num|version|generation")


@lean
@dataclass(frozen=True, slots=True)
class Spot:
    """What stands at a place.

    Attributes:
        token: to be compared.
        holder: the kind of what it is in.
        name: under which it is there; empty for a key.
        in_class: the nearest namespace around it is that of a class.
        is_private: a name on the way to it begins with an underscore.
        is_stub: it is a stand-in: a mock, a function or class of a test.
        of_test_class: it is a name of a test class.
        is_part: the subject names what it is in: a container of which several entries changed, or which was made anew.
        is_outside: the module is neither the project's nor its tests'.
        is_reload: the code of the module ran again.
        path: the file, if the place is in a test-side module.
        of_mock: the namespace is that of a mock class.
        module: the name of the module.
        mock: what is in the way of it, if that is a mock of a test module, by its name there.
        of_test: what stands in the ids of those that get at it, if it is a test's parameter or in a class of tests.
    """

    token: Hashable
    holder: Kind = field(compare=False)
    name: str = field(default="", compare=False)
    in_class: bool = field(default=False, compare=False)
    is_private: bool = field(default=False, compare=False)
    is_stub: bool = field(default=False, compare=False)
    of_test_class: bool = field(default=False, compare=False)
    is_part: bool = field(default=False, compare=False)
    is_outside: bool = field(default=False, compare=False)
    is_reload: bool = field(default=False, compare=False)
    path: str = field(default="", compare=False)
    of_mock: bool = field(default=False, compare=False)
    module: str = field(default="", compare=False)
    mock: str = field(default="", compare=False)
    of_test: str = field(default="", compare=False)


def code_of(change: Change) -> str:
    """The check that a change belongs to."""
    spot: Any = change.after
    if spot.of_mock:
        return "PSA504"
    if spot.holder in CONTAINERS:
        return "PSA105" if spot.in_class else "PSA104"
    if spot.is_stub and spot.holder in (Kind.MODULE, Kind.CLASS):
        return "PSA501"
    return "PSA110"


def level_of(change: Change) -> str:
    """How grave, where it is not the check's own level.

    What a statement of the owner itself wrote is grave. What the product does when it is used may be its habit: a
    container fills, a counter goes up, a private name is given its object at the first use.
    """
    spot: Any = change.after
    before, after = _tokens(change)
    if spot.holder is Kind.MOCK:  # one that a decorator holds is seen by its own test alone
        return "info" if ".patchings[" in change.subject else "advisory"
    if spot.is_stub or spot.of_mock:
        return ""
    if _is_made_once(spot, before, after):
        return "advisory"
    if change.site is not None:
        return ""
    if _has_grown(spot, before, after):
        return "advisory" if spot.path and not spot.is_private else "info"
    if _is_number(before) and _is_number(after) and before[1] < after[1] and _COUNTS.search(spot.name.lower()):
        return "advisory" if spot.path and not spot.is_private else "info"
    if not spot.path and (before, after) == (("bool", False), ("bool", True)) and _DONE.search(spot.name.lower()):
        return "info"  # something that is done once
    if before == ABSENT or (spot.holder is Kind.INSTANCE and (after == ABSENT or _is_made(before, after))):
        return "info"  # at the first use
    return "advisory" if spot.is_private else ""


def _is_empty(token: Any) -> bool:
    """Whether it is a value to begin with: nothing, no, zero, an empty container."""
    if type(token) is Content:
        return token.kind in CONTAINERS and not token.length
    return type(token) is tuple and token[0] in _PLAIN and not token[1]


def _is_made_once(spot: Spot, before: Any, after: Any) -> bool:
    """An object under a private name where there was none: made at the first use."""
    return spot.is_private and spot.holder in (Kind.MODULE, Kind.CLASS) and _is_made(before, after)


def _is_made(before: Any, after: Any) -> bool:
    return before == ("NoneType", None) and not _is_plain(after)


def _is_plain(token: Any) -> bool:
    return type(token) is tuple and token[0] in _PLAIN


def _tokens(change: Change) -> tuple[Any, Any]:
    before: Any = change.before
    after: Any = change.after
    return before.token, after.token


def _has_grown(spot: Spot, before: Any, after: Any) -> bool:
    return (spot.holder is Kind.DICT and before == ABSENT) or has_only_grown(before, after)


def _is_number(token: Any) -> bool:
    return type(token) is tuple and token[0] in ("int", "float")


def is_harm_of(owner: Actor, change: Change) -> bool:
    """Whether somebody later may see what the owner left there.

    A set-up that sets names and keys of its own module or class sets them for its own tests: they get them anew each
    time, and nobody else asks for them. When the session is over there is no later.
    """
    if owner.scope == "session" and owner.kind != "import":
        return False
    spot: Any = change.after
    if spot.is_outside and not spot.is_stub and not spot.of_mock:
        is_object = type(_tokens(change)[0]) is Held  # a function or class; what else it keeps is its own affair
        return is_object and change.site is not None
    if spot.of_test_class and change.site is None:  # a base class, or what runs tests, made it for them
        return False
    if owner.kind == "setup" and owner.scope == "function" and spot.holder in NAMED and _is_empty(spot.token):
        return False  # what tests may have left is reset before each of them
    if spot.path == owner.path and spot.holder is Kind.MODULE and _is_made_once(spot, *_tokens(change)):
        return False  # a cache of the test module itself
    is_own = owner.path == spot.path or owner.id.startswith(f"{spot.path}::")
    if not is_own or owner.kind not in ("fixture", "setup"):
        return True
    if change.site is None:  # it used something of its own module, which changed by that
        return False
    is_set_again = spot.holder in (Kind.MODULE, Kind.DICT) or spot.of_test_class
    return not (is_set_again and spot.token != ABSENT) and owner.scope not in ("module", "package")


def can_reach(owner: Actor, change: Change) -> bool:
    """Whether somebody gets at it at all: a parameter of a test is handed to that test alone.

    What is in a class of tests is in reach of others, but it is the class's own affair.
    """
    spot: Any = change.after
    return spot.of_test in owner.id


def writing_lines(text: str, first: int, change: Change) -> set[int]:
    """The lines of the owner's statements that can have changed it.

    Raises:
        SyntaxError, ValueError: when the owner's file cannot be parsed.
    """
    return _lines(text, first, change, None)


def lines_of_one_of_several(text: str, first: int, change: Change) -> set[int]:
    """The same where the owner is not known: a statement that assigns another constant was not the one.

    Raises:
        SyntaxError, ValueError: when the owner's file cannot be parsed.
    """
    after = _tokens(change)[1]
    return _lines(text, first, change, lambda constant: constant is None or constant == after)


def _lines(
    text: str, first: int, change: Change, value: Callable[[tuple[str, Hashable] | None], bool] | None
) -> set[int]:
    from pytest_secaudit.watch.writing_lines import lines_of_attribute, lines_of_call  # loaded with the first claim

    spot: Any = change.after
    if spot.is_reload:
        return lines_of_call(text, first, "reload")
    *holder, name = change.subject.partition("[")[0].partition("(")[0].split(".")
    in_place = spot.holder in CONTAINERS
    receivers = ("cls", "self") if in_place and spot.in_class else ("cls",)
    return lines_of_attribute(
        text, first, {*holder, *receivers}, name, in_place=in_place, alone=not spot.in_class, value=value
    )


def mentions(text: str, first: int, change: Change) -> bool:
    """Whether the owner's code has the key that was added, as a text of its own.

    Raises:
        SyntaxError, ValueError: when the owner's file cannot be parsed.
    """
    from pytest_secaudit.watch.writing_lines import says

    key = _KEY.search(change.subject) if _tokens(change)[0] == ABSENT else None
    return key is not None and len(key[1]) > 1 and says(text, first, key[1])


def is_reset_by_set_up(text: str, first: int, change: Change) -> bool:
    """Whether a set-up that runs before each test of the class gives it the value that it had.

    Args:
        text: the source of the test's file.
        first: the first line of the test's function.
        change: what the test left.

    Raises:
        SyntaxError, ValueError: when the file cannot be parsed.
    """
    from pytest_secaudit.watch.writing_lines import set_up_of

    before = _tokens(change)[0]
    set_up = set_up_of(text, first) if _is_plain(before) else None
    return set_up is not None and bool(_lines(text, set_up, change, lambda constant: constant == before))


# --- in words


def said(change: Change) -> str:
    """How the message goes on."""
    before, after = _tokens(change)
    spot: Any = change.after
    if spot.is_reload:
        return "loaded anew: its classes and functions are others than those that were imported before"
    if spot.is_part:
        return "with entries added" if before == ABSENT and spot.holder is Kind.DICT else "with other contents"
    if after == ABSENT:
        return "removed"
    if before == ABSENT:
        return f"added, {_shown(after)}"
    if has_only_grown(before, after):
        return f"with {_more(after.length - before.length)}"
    if type(before) is Content and type(after) is Content and before.type == after.type:
        return f"with other contents, {_shown(after)}"
    if _shown(before) == _shown(after):
        return "replaced, another " + _shown(after).partition(" ")[2]
    word = "at" if type(after) is tuple and not spot.is_stub else "replaced by"
    return f"{word} {_shown(after)} (it was {_shown(before)})"


def _more(count: int) -> str:
    return "one entry more" if count == 1 else f"{count} entries more"


def _shown(token: Any) -> str:
    """The type of what is there; its value if that is plain and no text."""
    if type(token) is Content:
        what = with_article(token.type)
        return f"{what} of {token.length}" if token.kind in CONTAINERS and token.length else what
    if type(token) is tuple and token[0] in _SHOWN:
        return clean(repr(token[1])[:40])
    if type(token) is tuple:
        return with_article(token[0])
    return clean(token.said) if type(token) is Held else "another object"


def fix(change: Change, owner: Actor | None = None, text: str = "") -> str:
    """One line that names the user's own code.

    Args:
        change: what was left.
        owner: by whom, if that is known.
        text: the source of the owner's file.
    """
    spot: Any = change.after
    if spot.is_reload:
        return "run what needs a fresh import in a process of its own"
    if spot.holder is Kind.MOCK:
        reset = "reset_mock() before each test" if change.subject.endswith(".call_count") else ""
        anew = f"make {spot.mock} in a fixture"
        if ".patchings[" in change.subject:
            anew = "let the decorator make it: without `new`, each call gets one of its own"
        return f"{reset}, or {anew}" if reset else anew
    argument = _ARGUMENT.search(change.subject)
    if argument is not None:
        return _fix_of_argument(spot, argument)
    if spot.holder in CONTAINERS or change.subject.endswith("]") or type(spot.token) is Content:
        held = change.subject.partition("[")[0].rpartition(".")[2]
        other = f"monkeypatch.setitem({held}, ...)" if spot.holder is Kind.DICT else "make it anew in a fixture"
        return f"work on a copy of {held}, or {other}"
    target, _, name = change.subject.rpartition(".")
    holder = _holder(spot, target, owner, text)
    return (
        f'monkeypatch.setattr({holder}, "{name}", ...)' if holder else f'monkeypatch.setattr("{change.subject}", ...)'
    )


def _fix_of_argument(spot: Spot, argument: re.Match[str]) -> str:
    """What stands between the brackets is a default of a function, or what gives a test or fixture its parameters."""
    names = [name.strip() for name in argument[1].split(",")]
    if names == ["params"]:
        return "hand out a copy: copy.deepcopy(request.param)"
    if not spot.of_test.endswith("["):
        return f"give {argument[1]} the default None, and make it in the function"
    indexes = [int(index) for index in _INDEX.findall(argument[2])]
    if len(names) == 1:
        name = names[0]
    elif len(indexes) == 2 and indexes[1] < len(names):  # of a `pytest.param` there is one more
        name = names[indexes[1]]
    else:
        return f"work on a copy of what {' or '.join(names)} is: copy.deepcopy(...)"
    return f"work on a copy: {name} = copy.deepcopy({name})"


def _holder(spot: Spot, target: str, owner: Actor | None, text: str) -> str:
    """What has the name, as the owner's file can write it; empty if the file has no name for it, but any file can import it."""
    inner = target[len(spot.module) + 1 :] if target.startswith(f"{spot.module}.") else ""
    if owner is not None and spot.path and owner.path == spot.path:
        return inner or "sys.modules[__name__]"
    outermost, dot, rest = inner.partition(".")
    known = name_in(text, f"{spot.module}.{outermost}") if outermost else ""
    if known:
        return f"{known}{dot}{rest}"
    known = name_in(text, spot.module)
    if known:
        return f"{known}.{inner}" if inner else known
    return target.rpartition(".")[2] if spot.path or not text or "[" in target else ""
