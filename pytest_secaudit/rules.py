"""Reading one file with the rules of all checks. Loaded where a file is not known from an earlier run."""

from __future__ import annotations

import ast
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pytest_secaudit.conventions import Conventions
from pytest_secaudit.model import INFO, Check, Hit, Owner, OwnerKind, Proof, Question, Severity, Suspicion
from pytest_secaudit.reading import (
    MAX_BYTES,
    Armed,
    FixtureFact,
    Guard,
    Reading,
    StaticHit,
    TestFact,
    cleaned,
    decode,
    fingerprint,
    packed,
)
from pytest_secaudit.redact import clean
from pytest_secaudit.source import Role, Scope, TestModule
from pytest_secaudit.source.changes import changes
from pytest_secaudit.source.ignores import suppressions_in
from pytest_secaudit.source.mocks import replacements, resolved_target
from pytest_secaudit.source.module import source_of
from pytest_secaudit.source.oracles import check_lines, guards, surely_checks
from pytest_secaudit.source.restores import restore_facts
from pytest_secaudit.source.syntax import TRIES, WITHS


def read(data: bytes, path: str, checks: Iterable[Check], conventions: Conventions = Conventions()) -> Reading:
    """Read one file with all rules. Never raises for what is in the file."""
    if len(data) > MAX_BYTES:
        return Reading(path, error=f"larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        module = _parse(data, path, conventions)
    except SyntaxError as error:
        return Reading(path, error=clean(f"not valid for this Python: {error.msg}, line {error.lineno or 1}"))
    except UnicodeDecodeError as error:
        return Reading(path, error=f"not {error.encoding} text")
    except (RecursionError, MemoryError):
        return Reading(path, error="nested too deeply")
    except (LookupError, ValueError) as error:  # a codec that is not for text; a null byte
        return Reading(path, error=clean(str(error)))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tokenizer warns too, where rules look for comments
            return _read_module(module, checks)
    except Exception as error:  # one file must never stop the reading of the others
        return Reading(path, error=clean(f"the audit failed here: {type(error).__name__}: {error}"))
    finally:
        module.close()


def _parse(data: bytes, path: str, conventions: Conventions) -> TestModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape sequence is not ours to report
        return TestModule(path, decode(data), conventions)


def _read_module(module: TestModule, checks: Iterable[Check]) -> Reading:
    found: list[tuple[Check, Hit]] = []
    suspected: list[tuple[Check, Suspicion]] = []
    failures: list[tuple[str, str]] = []
    for check in checks:
        if check.rule is None:
            continue
        try:
            for hit in check.rule(module):
                _require_words(hit)
                _require_in_file(module, hit)
                if isinstance(hit, Hit):
                    found.append((check, hit))
                else:
                    suspected.append((check, hit))
        except Exception as error:  # a check must never stop a run; it is named in the report
            failures.append((check.code, clean(f"{type(error).__name__}: {error}")))
    return Reading(
        path=module.path,
        hits=_static_hits(module, found),
        armed=_armed(module, suspected),
        restores=tuple(replace(fact, owner=clean(fact.owner), name=clean(fact.name)) for fact in restore_facts(module)),
        suppressions=tuple(cleaned(suppression) for suppression in suppressions_in(module)),
        fixtures=_fixtures(module),
        tests=sum(1 for _ in module.tests()),
        examined=_examined(module),
        failures=tuple(failures),
        guards=tuple(_guards(module)),
        **packed(map(partial(_fact, module), module.tests())),
    )


# --- hits


def _require_words(hit: Hit | Suspicion) -> None:
    """Of a stranger's rule: what is not text here would spoil the reading of the whole file later on."""
    if not isinstance(hit, (Hit, Suspicion)):
        raise TypeError(f"yields an object of type {type(hit).__name__}, not a Hit")
    if isinstance(hit, Hit):
        texts = {"message": hit.message, "fix": hit.fix}
        texts |= {name: getattr(hit, name) or "" for name in ("security", "subject", "acknowledged")}
        if not isinstance(hit.severity or INFO, Severity):
            raise TypeError(f"yields a Hit whose severity is of type {type(hit.severity).__name__}")
    else:
        texts = {"message": hit.message, "subject": hit.subject, "confirmed_by": hit.confirmed_by}
    for name, value in texts.items():
        if not isinstance(value, str):
            raise TypeError(f"yields a {type(hit).__name__} whose {name} is of type {type(value).__name__}")


def _require_in_file(module: TestModule, hit: Hit | Suspicion) -> None:
    line = getattr(hit.node, "lineno", 1)
    if not 0 < line <= len(module.lines):
        raise ValueError(f"points to line {line} of {len(module.lines)}")


def _static_hits(module: TestModule, found: Iterable[tuple[Check, Hit]]) -> tuple[StaticHit, ...]:
    found = sorted(found, key=lambda pair: (pair[0].code, *_position(module, pair[1].node)))
    if not found:
        return ()
    scopes = _scope_of_each_line(module)
    seen: Counter[str] = Counter()
    hits: dict[tuple[Any, ...], StaticHit] = {}
    for check, hit in found:
        line, column = _position(module, hit.node)
        scope = scopes[line]
        key = _identity(module, check, scope, line)
        if (check.code, line, column) in hits:
            continue  # one hazard at one place is one finding, however many ways lead to it
        seen[key] += 1
        severity, note = hit.severity or check.suspected or check.severity, ""
        if severity > INFO and _is_always_skipped(module, scope):
            severity, note = INFO, " (its test is always skipped)"
        hits[check.code, line, column] = StaticHit(
            code=check.code,
            severity=severity,
            message=clean(hit.message + note),
            fix=clean(hit.fix),
            line=line,
            column=column,
            end_line=getattr(hit.node, "end_lineno", None) or line,
            security=hit.security,
            subject=clean(hit.subject) if hit.subject else None,
            acknowledged=clean(hit.acknowledged) if hit.acknowledged else None,
            owner=_owner(module, scope),
            fingerprint=fingerprint(key, str(seen[key])),
            if_it_fails=hit.if_it_fails,
            unless=tuple(map(_cleaned_question, hit.unless)),
            only_if=tuple(map(_cleaned_question, hit.only_if)),
            decided_by=_cleaned_proof(hit.decided_by),
        )
    return tuple(hits.values())


def _cleaned_question(question: Question) -> Question:
    """Both sides of a comparison are cleaned the same way (`RestoreFact`, `FixtureFact`): the answer stays."""
    return replace(question, args=tuple(map(clean, question.args)))


def _cleaned_proof(proof: Proof | None) -> Proof | None:
    """The proof with its words made fit to be shown; None where there is no line to go by."""
    if proof is None or not proof.lines or (proof.kind in ("returned", "swallowed") and not proof.at):
        return None
    return replace(proof, said=clean(proof.said))


_SKIPS = frozenset(("pytest.mark.skip", "unittest.case.skip", "unittest.skip"))


def _is_always_skipped(module: TestModule, scope: Scope) -> bool:
    """Whether the function, a class around it or the whole file is marked to be skipped, without a condition."""
    around: Scope | None = scope
    while around is not None:
        if any(name in _SKIPS for name, _ in module.decorators(around)):
            return True
        if _SKIPS & {module.resolve(mark, around) for mark in _marks(around)}:
            return True
        around = around.enclosing
    return False


def _marks(scope: Scope) -> Iterator[ast.expr]:
    """What ``pytestmark`` holds, without the arguments of the marks."""
    for node in scope.of(ast.Assign):
        if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets):
            values = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]
            yield from (value.func if isinstance(value, ast.Call) else value for value in values)


def _armed(module: TestModule, suspected: Iterable[tuple[Check, Suspicion]]) -> tuple[Armed, ...]:
    if not suspected:
        return ()
    scopes = _scope_of_each_line(module)
    seen: Counter[str] = Counter()
    return tuple(_one_armed(module, check, suspicion, scopes, seen) for check, suspicion in suspected)


def _one_armed(
    module: TestModule, check: Check, suspicion: Suspicion, scopes: list[Scope], seen: Counter[str]
) -> Armed:
    line, column = _position(module, suspicion.node)
    key = _identity(module, check, scopes[line], line)
    seen[key] += 1
    return Armed(
        code=check.code,
        subject=clean(suspicion.subject),
        confirmed_by=suspicion.confirmed_by,
        message=clean(suspicion.message),
        line=line,
        owner=_owner(module, scopes[line]),
        column=column,
        end_line=getattr(suspicion.node, "end_lineno", None) or line,
        fingerprint=fingerprint(key, str(seen[key])),
        decided_by=_cleaned_proof(suspicion.decided_by),
    )


def _identity(module: TestModule, check: Check, scope: Scope, line: int) -> str:
    """What a place is known by, wherever it moves to within its function."""
    source = " ".join(module.lines[line - 1].split())
    return f"{check.code}\0{module.path}\0{scope.qualname}\0{source}"


def _position(module: TestModule, node: ast.AST) -> tuple[int, int]:
    line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
    text = module.lines[line - 1]
    if not text.isascii():  # `ast` counts bytes, people count characters
        offset = len(text.encode()[:offset].decode(errors="replace"))
    return line, offset + 1


def _scope_of_each_line(module: TestModule) -> list[Scope]:
    found = [module.root] * (len(module.lines) + 1)
    for scope in module.scopes:  # inner ones come after the ones around them
        if scope.is_function or scope.is_class:
            first: int = scope.node.lineno  # type: ignore[attr-defined]
            last: int = scope.node.end_lineno or first  # type: ignore[attr-defined]
            found[first : last + 1] = [scope] * (last + 1 - first)
    return found


_OWNER_KINDS: Mapping[Role, OwnerKind] = {
    Role.TEST: "test",
    Role.FIXTURE: "fixture",
    Role.SETUP: "setup",
    Role.TEARDOWN: "setup",
    Role.MODULE: "import",
    Role.CLASS: "import",
    Role.HELPER: "outside",
}


def _owner(module: TestModule, scope: Scope) -> Owner:
    outer = scope if isinstance(scope.node, ast.Module) or scope.is_class else scope.outermost
    role = module.role(outer)
    kind = _OWNER_KINDS[role]
    identity = module.path if kind == "import" else f"{module.path}::{outer.qualname.replace('.', '::')}"
    return Owner(
        kind=kind,
        id=clean(identity),
        path=module.path,
        line=getattr(outer.node, "lineno", 1),
        scope=module.fixture_scope(outer) if role is Role.FIXTURE else ("function" if role is Role.TEST else None),
    )


# --- facts


def _guards(module: TestModule) -> Iterator[Guard]:
    if not any(word in module.text for word in ("fail", "assert", "AssertionError")):
        return
    for scope in module.functions():
        for statement in guards(scope):
            yield Guard(
                line=statement.lineno,
                end_line=statement.end_lineno or statement.lineno,
                text=clean(source_of(statement)),
                owner=_owner(module, scope).id,
            )


def _fact(module: TestModule, test: Scope) -> TestFact:
    decorators: list[ast.expr] = test.node.decorator_list  # type: ignore[attr-defined]
    first = min((test.node.lineno, *(decorator.lineno for decorator in decorators)))  # type: ignore[attr-defined]
    identity = _owner(module, test).id
    if surely_checks(module, test):
        return TestFact(identity, first, "sure")
    lines, unseen = check_lines(module, test)
    return TestFact(identity, first, "unknown" if unseen else "maybe", lines, tuple(map(clean, unseen)))


def _fixtures(module: TestModule) -> tuple[FixtureFact, ...]:
    if "fixture" not in module.text:
        return ()
    targets: dict[Scope, set[str]] = defaultdict(set)
    for replacement in replacements(module):
        targets[replacement.scope.outermost].add(resolved_target(module, replacement))
    return tuple(
        FixtureFact(
            name=clean(module.fixture_name(scope)),
            line=scope.node.lineno,  # type: ignore[attr-defined]
            scope=module.fixture_scope(scope),
            autouse=module.is_autouse(scope),
            replaces=tuple(sorted(clean(target) for target in targets.get(scope, ()) if target)),
        )
        for scope in module.functions(Role.FIXTURE)
    )


_RESOURCES = (
    "NamedTemporaryFile",
    "Popen",
    "Process",
    "TemporaryDirectory",
    "Thread",
    "Timer",
    "mkdtemp",
    "mkstemp",
    "open",
    "socket",
)


def _examined(module: TestModule) -> tuple[tuple[int, int], ...]:
    """Per dimension, how many places there were to look at, so that "none found" and "none there" differ."""
    replaced = len(replacements(module))
    counts = {
        0: sum(1 for _ in module.tests()),  # can each fail at all?
        1: sum(1 for _ in module.functions(Role.FIXTURE, Role.SETUP, Role.TEARDOWN)),
        2: sum(1 for _ in module.each(*TRIES, *WITHS)),
        3: 1,  # the text, searched for secrets
        4: sum(change.place.area == "item" for change in changes(module)),
        5: replaced,
        6: sum(1 for _ in module.calls(*_RESOURCES)),
        7: sum(1 for _ in module.calls("sleep")),
        8: replaced,
    }
    return tuple((digit, count) for digit, count in counts.items() if count)
