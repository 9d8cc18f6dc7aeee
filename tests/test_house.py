"""The rules of the house that no linter knows; who may import whom is held by .importlinter."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath

import pytest

HOUSE = Path(__file__).resolve().parent.parent

LONGEST_FILE = 600
CODE = {".py", ".ts", ".vue", ".lua"}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
NOT_ROOMS = {"tests", "benchmarks", "tools", "docs", "web"}

# Each stands in a comment on the line that needs it, with its reason.
GPL = {"pyVoIP", "av"}

AT_THE_TOP = "task's top"
NOT_A_CHANNEL = "not a channel"

# Folders of the machines that this was written on, and package registries: nobody else has them, and a lock file
# or a manual that names one binds its reader to it. In pieces, since this file is searched too.
MACHINE = re.compile(
    r"(?<![\w.~/\]})-])/(?:work/(?:main|shared)|opt/|tmp/yihao|root/)|file:/"
    r"//|pypi\.org/|pythonhosted\.org|registry\.npmjs|npmmirror\.com|deb\.debian\.org"
)
BARE_WAIVER = re.compile(r"#\s*(?:noqa:\s*[A-Z]+\d+(?:\s*,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w\-, ]+\])\s*$")


@dataclass(frozen=True)
class Source:
    """A committed text file: where it stands in the house, and its text."""

    place: PurePosixPath
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text, str(self.place))))

    @property
    def room(self) -> str:
        return self.place.parts[0]

    @property
    def module(self) -> str:
        return ".".join(self.place.with_suffix("").parts).removesuffix(".__init__")

    @property
    def imports(self) -> Iterator[tuple[int, str]]:
        """Each module that it imports, anywhere; `from a import b` counts as `a` and as `a.b`."""
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.lineno, node.module
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)

    def finding(self, line: int, what: str) -> str:
        return f"{self.place}:{line}: {what}"


@cache
def committed() -> tuple[Source, ...]:
    """Every text file that git keeps, as it stands in the working tree."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    found = []
    for name in filter(None, names):
        try:
            found.append(Source(PurePosixPath(name), (HOUSE / name).read_text(encoding="utf-8")))
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # sounds and pictures; a file removed but not yet committed
    return tuple(found)


def product() -> list[Source]:
    """The Python files of the rooms."""
    return [source for source in committed() if source.place.suffix == ".py" and source.room not in NOT_ROOMS]


def channels() -> set[str]:
    return {
        source.place.parent.name
        for source in product()
        if source.room == "channels" and source.place.name == "__init__.py" and len(source.place.parts) == 3
    }


def names_a_channel(source: Source, names: set[str]) -> Iterator[str]:
    own = source.place.parts[1] if source.room == "channels" else None
    for node in source.nodes:
        match node:
            case ast.Constant(value=str(name)) if (
                name in names - {own} and NOT_A_CHANNEL not in source.lines[node.lineno - 1]
            ):
                yield source.finding(node.lineno, f"names channel {name!r}; ask for its capabilities")


def catches_too_widely(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            wide = {"everything", "Exception", "BaseException"} & set(re.split(r"\W+", caught))
            if wide and AT_THE_TOP not in source.lines[node.lineno - 1]:
                yield source.finding(node.lineno, f"catches {caught} elsewhere than at a task's top")


def reads_the_environment(source: Source) -> Iterator[str]:
    if source.room != "config":
        for node in source.nodes:
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.environ", "os.getenv"}:
                yield source.finding(node.lineno, "reads the environment; settings come from config")


def is_too_long(source: Source) -> Iterator[str]:
    is_generated = bool(source.lines) and "enerated" in source.lines[0]
    if source.place.suffix in CODE and not is_generated and len(source.lines) > LONGEST_FILE:
        yield source.finding(len(source.lines), f"longer than {LONGEST_FILE} lines")


def has_no_noun(source: Source) -> Iterator[str]:
    if NAMELESS & {*source.place.parts[:-1], source.place.stem}:
        yield source.finding(1, "a function without a home is a noun that is missing")


def waives_without_a_reason(source: Source) -> Iterator[str]:
    if source.place.suffix == ".py" and source.room != "tests":  # a test's oddity stands in plain sight
        for number, line in enumerate(source.lines, 1):
            if BARE_WAIVER.search(line):
                yield source.finding(number, "a waiver without a reason beside it")


def names_a_machine(source: Source) -> Iterator[str]:
    for number, line in enumerate(source.lines, 1):
        if MACHINE.search(line):
            yield source.finding(number, "names a machine's folder or a package registry")


def brings_in_the_gpl(source: Source, programs: set[str]) -> Iterator[str]:
    for line, name in source.imports:
        if name in programs:
            yield source.finding(line, f"imports {name}, and with it what is GPL")


def gpl_programs(sources: list[Source]) -> set[str]:
    """Modules that import pyVoIP, or PyAV, whose wheels have GPL parts: each is a process of its own."""
    return {source.module for source in sources if any(name.partition(".")[0] in GPL for _, name in source.imports)}


def test_channels_are_named_in_their_own_folders_only() -> None:
    names = channels()
    assert [found for source in product() for found in names_a_channel(source, names)] == []


def test_the_gpl_stays_in_a_process_of_its_own() -> None:
    programs = gpl_programs(product())
    assert [found for source in product() for found in brings_in_the_gpl(source, programs)] == []


@pytest.mark.parametrize("rule", [catches_too_widely, reads_the_environment])
def test_rooms(rule: Callable[[Source], Iterator[str]]) -> None:
    assert [found for source in product() for found in rule(source)] == []


@pytest.mark.parametrize("rule", [is_too_long, has_no_noun, waives_without_a_reason, names_a_machine])
def test_everywhere(rule: Callable[[Source], Iterator[str]]) -> None:
    assert [found for source in committed() for found in rule(source)] == []


def test_every_folder_of_tests_is_a_package() -> None:
    """Else tests/session would stand in the way of session."""
    tests = {source.place for source in committed() if source.room == "tests" and source.place.suffix == ".py"}
    assert {place.parent for place in tests} == {place.parent for place in tests if place.name == "__init__.py"}


def of(text: str, place: str = "gateway/bad.py") -> Source:
    return Source(PurePosixPath(place), text)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("if channel == 'phone': ...", lambda source: names_a_channel(source, {"phone"})),
        ("try: ...\nexcept Exception: ...", catches_too_widely),
        ("try: ...\nexcept (ValueError, BaseException) as error: ...", catches_too_widely),
        ("try: ...\nexcept: ...", catches_too_widely),
        ("import os\nos.environ['HOME']", reads_the_environment),
        ("x = 1\n" * (LONGEST_FILE + 1), is_too_long),
        ("x = y  # noqa" + ": F821", waives_without_a_reason),
        ("x = y  # type" + ": ignore[name-defined]", waives_without_a_reason),
        ("x = '/" + "work/main/data'", names_a_machine),
        ("--index-url https://pypi" + ".org/simple", names_a_machine),
        ("from gateway.dial import call", lambda source: brings_in_the_gpl(source, {"gateway.dial"})),
        ("from gateway import dial", lambda source: brings_in_the_gpl(source, {"gateway.dial"})),
    ],
)
def test_each_rule_finds_what_it_forbids(broken: str, rule: Callable[[Source], Iterator[str]]) -> None:
    assert len(list(rule(of(broken)))) == 1


@pytest.mark.parametrize(
    ("allowed", "rule"),
    [
        ("FIELD = 'phone'  # not a channel: a form's field", lambda source: names_a_channel(source, {"phone"})),
        ("try: ...\nexcept Exception: ...  # a task's top: a call must not end others", catches_too_widely),
        ("x = y  # noqa" + ": F821: made by exec above", waives_without_a_reason),
        ("image: ../shared/data and docs/opt/x", names_a_machine),
    ],
)
def test_each_rule_lets_pass_what_is_meant(allowed: str, rule: Callable[[Source], Iterator[str]]) -> None:
    assert list(rule(of(allowed))) == []


def test_a_noun_is_asked_of_files_and_folders() -> None:
    assert list(has_no_noun(of("", "gateway/utils/x.py")))
    assert list(has_no_noun(of("", "media/base.py")))
    assert not list(has_no_noun(of("", "media/database.py")))


def test_pyvoip_is_found_by_its_import() -> None:
    dial = of("from pyVoIP.VoIP import VoIPPhone", "gateway/dial.py")
    assert gpl_programs([dial, of("import redis")]) == {"gateway.dial"}
