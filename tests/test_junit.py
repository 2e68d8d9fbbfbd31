"""Findings as properties in the JUnit file of pytest."""

from __future__ import annotations

import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

MODULE = """
    import os
    import pytest
    def test_leaves():
        os.environ["LEFT"] = "1"
        assert os.environ
    @pytest.mark.parametrize("name", ["a.b::c", "d[e]"])
    def test_each(name):
        os.environ["LEFT_" + name[:1]] = name
        assert name
    class TestIt:
        def test_nothing(self):
            assert True
    def test_silenced():  # secaudit: ignore[PSA101] it is meant
        os.environ["MEANT"] = "1"
        assert os.environ
"""


def properties(path: Path) -> dict[str, list[str | None]]:
    """Per test case, by class and name."""
    cases = ElementTree.parse(path).getroot().iter("testcase")
    return {
        f"{case.get('classname')}.{case.get('name')}": [one.get("value") for one in case.iter("property")]
        for case in cases
    }


@pytest.mark.parametrize("family", ["xunit1", "xunit2"])
@pytest.mark.parametrize("options", [(), ("-n2",), ("--junit-prefix=ci",)], ids=["one process", "xdist", "prefix"])
def test_what_was_found_stands_at_its_test_case(
    pytester: pytest.Pytester, options: tuple[str, ...], family: str
) -> None:
    pytester.mkpydir("tests").joinpath("test_it.py").write_text(textwrap.dedent(MODULE), "utf-8")
    pytester.makeini(f"[pytest]\nsecaudit = true\nsecaudit_junit = true\njunit_family = {family}\n")
    result = pytester.runpytest_subprocess("--junitxml=out/junit.xml", "-o", "junit_logging=all", *options)
    result.assert_outcomes(passed=5)
    start = "ci.tests.test_it" if "--junit-prefix=ci" in options else "tests.test_it"
    assert properties(pytester.path / "out" / "junit.xml") == {
        f"{start}.test_leaves": ["PSA101:defect"],
        f"{start}.test_each[a.b::c]": ["PSA101:defect"],
        f"{start}.test_each[d[e]]": ["PSA101:defect"],
        f"{start}.TestIt.test_nothing": [],
        f"{start}.test_silenced": [],
    }


def test_nobody_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(MODULE)
    pytester.runpytest_subprocess("--secaudit", "--junitxml=junit.xml")
    assert not any(properties(pytester.path / "junit.xml").values())


def test_properties_of_the_user_stay(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        def test_leaves(record_property):
            record_property("owner", "team <b>")
            os.environ["LEFT"] = "1"
            assert os.environ
        """
    )
    pytester.runpytest_subprocess("--secaudit", "-o", "secaudit_junit=true", "--junitxml=junit.xml")
    assert list(properties(pytester.path / "junit.xml").values()) == [["team <b>", "PSA101:defect"]]


def test_a_file_that_is_no_xml_is_named_and_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a():\n    assert True\n")
    pytester.makeconftest(
        """
        import pytest
        @pytest.hookimpl(trylast=True)
        def pytest_configure(config):
            class Late:
                def pytest_sessionfinish(self):
                    open("junit.xml", "w").write("<broken")
            config.pluginmanager.register(Late())
            xml = [p for p in config.pluginmanager.get_plugins() if type(p).__name__ == "LogXML"]
            for one in xml:
                config.pluginmanager.unregister(one)
        """
    )
    result = pytester.runpytest_subprocess("--secaudit", "-o", "secaudit_junit=true", "--junitxml=junit.xml")
    result.stdout.fnmatch_lines(["*junit.xml has no findings: *"])
    assert result.ret == 1
