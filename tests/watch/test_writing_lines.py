"""The line that wrote, found by reading the owner."""

from __future__ import annotations

import textwrap

import pytest

from pytest_secaudit.watch.writing_lines import lines_of_attribute, says, set_up_of, writing_lines


def writing_line(text: str, first: int, area: str, subject: str) -> int | None:
    """The line of the only statement that can have written."""
    lines = writing_lines(text, first, area, subject)
    return lines.pop() if len(lines) == 1 else None


@pytest.mark.parametrize(
    ("area", "subject", "body", "line"),
    [
        ("signals", "signal SIGALRM", "signal.signal(signal.SIGALRM, print)", 4),
        ("logging", "logging.getLogger('a').level", "logging.getLogger('a').setLevel(10)", 4),
        ("logging", "logging.getLogger('a').propagate", "logging.getLogger('a').propagate = False", 4),
        ("interpreter", "sys.stdout", "sys.stdout = out", 4),
        ("interpreter", "the recursion limit", "sys.setrecursionlimit(99)", 4),
        ("imports", "sys.path['/x']", "sys.path.insert(0, '/x')", 4),
        ("imports", "sys.modules['x']", "del sys.modules['x']", 4),
        ("threads", "thread worker", "threading.Thread(target=f).start()", 4),
        ("umask", "the umask", "os.umask(0)\n    os.umask(1)", None),
        ("umask", "the umask", "helper()", None),
        ("a new area", "something new", "os.umask(0)", None),
    ],
)
def test_only_statement_of_the_owner_that_can_have_written(
    area: str, subject: str, body: str, line: int | None
) -> None:
    text = f"import os\n@mark\ndef test_it(self):\n    {body}\n    assert True\n"
    assert writing_line(text, 2, area, subject) == line
    assert writing_line(text, 3, area, subject) == line


def test_module_s_own_level_leaves_out_its_functions() -> None:
    text = textwrap.dedent(
        """
        import os
        os.umask(0)
        def test_it():
            os.umask(1)
        """
    )
    assert writing_line(text, 0, "umask", "the umask") == 3


HELPERS = """
def put():
    again()
def again():
    put()
    os.umask(0)
def twice():
    os.umask(1)
def twice():
    os.umask(2)
class TestIt:
    def change(self):
        sys.argv = []
    def test_function(self):
        put()
    def test_method(self):
        self.change()
        other.change()
    def test_of_another(self):
        other.change()
    def test_which_one(self):
        twice()
    def test_both(self):
        put()
        os.umask(3)
put()
"""


@pytest.mark.parametrize(
    ("first", "subject", "line"),
    [
        (14, "the umask", 6),
        (16, "sys.argv", 13),
        (19, "sys.argv", None),
        (21, "the umask", None),
        (23, "the umask", None),
        (0, "the umask", 6),
    ],
)
def test_helpers_of_the_same_file_that_the_owner_calls(first: int, subject: str, line: int | None) -> None:
    text = HELPERS
    area = "umask" if "umask" in subject else "interpreter"
    assert "def " in text.splitlines()[first - 1] or first == 0
    assert writing_line(text, first, area, subject) == line


def test_no_function_there() -> None:
    assert writing_line("x = 1\n", 7, "umask", "the umask") is None


def test_file_that_cannot_be_parsed() -> None:
    with pytest.raises(SyntaxError):
        writing_line("def umask", 1, "umask", "the umask")


def test_file_without_the_word_is_not_even_parsed() -> None:
    assert writing_line("def", 1, "umask", "the umask") is None


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("sys.modules.pop('x')", {2}),
        ("sys.modules.pop('y')", set()),
        ("del sys.modules['y']", set()),
        ("sys.modules[name] = None", {2}),
        ("del sys.modules['x']; sys.modules.update(z=1)\n    sys.modules.pop('x')", {2, 3}),
    ],
)
def test_a_key_that_is_written_out_is_the_one_that_was_changed(body: str, lines: set[int]) -> None:
    text = f"def test_it():\n    {body}\n"
    assert writing_lines(text, 1, "modules", "sys.modules['x']") == lines


def test_a_constant_that_is_assigned_can_be_told_from_others() -> None:
    text = "def test_it():\n    a.x = False\n    a.x = True\n    a.x = some()\n    setattr(a, 'x', 3)\n    a.x += 1\n"
    seen = []

    def fits(constant: object) -> bool:
        seen.append(constant)
        return constant is None

    assert lines_of_attribute(text, 1, {"a"}, "x", in_place=False, alone=True, value=fits) == {4, 6}
    assert sorted(map(str, seen)) == sorted(map(str, [("bool", False), ("bool", True), ("int", 3), None, None]))


CASES = """
class TestIt:
    @some
    def setUp(self): ...
    def test_it(self): ...
    class Inner:
        def test_inner(self): ...
def test_alone(): ...
class Test_async:
    async def asyncSetUp(self): ...
    async def test_it(self): ...
"""


@pytest.mark.parametrize(("first", "line"), [(5, 3), (7, None), (8, None), (11, 10), (1, None)])
def test_the_set_up_of_a_test(first: int, line: int | None) -> None:
    assert set_up_of(CASES, first) == line


def test_a_word_that_the_owner_says() -> None:
    text = "def test_it():\n    put('pizza')\ndef test_other():\n    put('pizzas', pizza)\n"
    assert says(text, 1, "pizza")
    assert not says(text, 3, "pizza")
    assert not says("def", 1, "pizza")
