"""Findings as properties of the test cases in the XML file that pytest writes with ``--junitxml``.

The file is changed after pytest has written it: only then every verdict is known. How pytest makes the names of a test
case from its id: `_pytest.junitxml.mangle_test_address`, as of pytest 8.4 to 9.2.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from pytest_secaudit.model import Audit, Finding

PROPERTY = "secaudit.findings"


def annotated(xml: bytes, audit: Audit, prefix: str = "") -> str:
    """The file with a property for each test case that a new finding is about: ``PSA101:defect PSA701:advisory``.

    Args:
        xml: as pytest wrote it.
        audit: what was found.
        prefix: of the class names (``--junit-prefix``).

    Raises:
        ElementTree.ParseError: when it is no XML.
    """
    root = ElementTree.fromstring(xml)
    words = _words(audit.having("new"))
    for case in root.iter("testcase"):
        address = f"{case.get('classname', '').removeprefix(f'{prefix}.' if prefix else '')}.{case.get('name', '')}"
        said = [*words.get(address, ()), *(words.get(address.partition("[")[0], ()) if "[" in address else ())]
        if said:
            properties = case.find("properties")
            if properties is None:
                properties = ElementTree.Element("properties")
                case.insert(0, properties)
            ElementTree.SubElement(properties, "property", name=PROPERTY, value=" ".join(sorted(set(said))))
    return '<?xml version="1.0" encoding="utf-8"?>' + ElementTree.tostring(root, encoding="unicode")


def _words(findings: Iterable[Finding]) -> dict[str, list[str]]:
    words: defaultdict[str, list[str]] = defaultdict(list)
    for finding in findings:
        for test in _tests(finding):
            words[_address(test)].append(f"{finding.code}:{finding.severity.word}")
    return words


def _tests(finding: Finding) -> Iterator[str]:
    """The ids of the tests that it is about; a fixture is no test case, nor is one of several."""
    for owner in finding.owners or (finding.owner,):
        if owner.kind == "test":
            yield from owner.ids or (owner.id,)


def _address(test: str) -> str:
    path, bracket, parameters = test.partition("[")
    names = path.split("::")
    names[0] = names[0].replace("/", ".").removesuffix(".py")
    return ".".join(names) + bracket + parameters
