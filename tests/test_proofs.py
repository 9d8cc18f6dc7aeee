"""The pages of docs/proofs: each promise has a command, and what the command names is there."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parent.parent
PAGES = sorted((HOUSE / "docs" / "proofs").glob("*.md"))
ROW = re.compile(r"^\| (?P<promise>.+?) \| (?P<shown>[^|]*) \|$")


@cache
def named_in(file: Path) -> frozenset[str]:
    return frozenset(re.findall(r"^ *(?:async )?def (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))


@cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def rows(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each promise with the commands beside it."""
    for line in page.splitlines():
        if line.startswith("|") and not line.startswith(("| promised |", "|---")):
            row = ROW.match(line)
            assert row, f"no row of a promise and what shows it: {line}"
            yield row["promise"], re.findall(r"`([^`]+)`", row["shown"])


def fault(command: str) -> str:
    """What is wrong with a command; empty for one that can be typed."""
    match command.split():
        case [".venv/bin/pytest", *words]:
            named = [word for word in words if not word.startswith("-")]
            return "" if named and all(map(_is_there, named)) else "names a test that is not there"
        case ["make", "bench", named]:
            is_there = (HOUSE / "benchmarks" / f"{named.removeprefix('NAME=')}.py").is_file()
            return "" if is_there else "names a benchmark that is not there"
        case ["make", target]:
            return "" if target in targets() else "names a target that is not there"
        case [".venv/bin/yihao", "config" | "doctor"]:
            return ""
    return "is no command of ours"


def _is_there(test: str) -> bool:
    path, _, name = test.partition("::")
    return (HOUSE / path).is_file() and (not name or name in named_in(HOUSE / path))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_promise_has_a_command_that_can_be_typed(page: Path) -> None:
    wrong = []
    for promise, commands in rows(page.read_text(encoding="utf-8")):
        wrong += [(promise, command, found) for command in commands if (found := fault(command))]
        wrong += [(promise, "", "nothing shows it")] * (not commands)
    assert wrong == []


@pytest.mark.parametrize(
    "command",
    [
        ".venv/bin/pytest tests/test_proofs.py::test_nothing",
        ".venv/bin/pytest tests/test_nothing.py",
        ".venv/bin/pytest",
        "make bench NAME=nothing",
        "make nothing",
        "rm",
    ],
)
def test_what_is_not_there_is_found(command: str) -> None:
    assert fault(command)


def test_every_page_is_to_be_found() -> None:
    """And so are those that a newcomer begins with."""
    index = (HOUSE / "docs" / "proofs" / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if page.name not in index and page.name != "README.md"] == []
    for name in ("README.md", "README.zh.md", "CHANGELOG.md", "LICENSE", "docs/README.md", "docs/decisions/README.md"):
        text = (HOUSE / name).read_text(encoding="utf-8")
        links = [link for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", text) if not link.startswith("http")]
        assert [link for link in links if not (HOUSE / name).parent.joinpath(link).exists()] == [], name


def test_every_picture_of_the_pages_is_shown() -> None:
    """And nothing else is: an old one that no page shows is not looked at."""
    screens = HOUSE / "docs" / "screens"
    shown = re.findall(r"!\[[^]]*\]\(([^)]+\.png)\)", (screens / "README.md").read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(picture.name for picture in screens.glob("*.png"))
