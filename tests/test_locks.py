"""The lock files hold what pyproject.toml asks for, whole, and bind nobody to a registry."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOUSE = Path(__file__).resolve().parent.parent
LOCKS = sorted((HOUSE / "requirements").glob("*.txt"))

PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text())
ALWAYS: list[str] = PROJECT["project"]["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]

ASKED = {
    "build": PROJECT["build-system"]["requires"],
    "peers": Path(HOUSE / "requirements/peers.in").read_text().splitlines()[2:],
    "run": ALWAYS,
    **{extra: [*ALWAYS, *asked] for extra, asked in EXTRAS.items()},
}


def entries(lock: Path) -> list[str]:
    """Each package's lines joined to one, without comments."""
    text = re.sub(r"^\s*#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def pinned(lock: Path) -> dict[str, list[Requirement]]:
    """What each package is pinned to: one pin, or one for each case that its marker tells apart."""
    pins: dict[str, list[Requirement]] = {}
    for entry in entries(lock):
        pin = Requirement(entry.split("--hash")[0].strip())
        pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


def test_each_extra_has_a_lock() -> None:
    assert {lock.stem for lock in LOCKS} == set(ASKED)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_pins_what_is_asked_for(lock: Path) -> None:
    """Fails when pyproject.toml has changed and `make lock` has not been run."""
    pins = pinned(lock)
    for asked in map(Requirement, ASKED[lock.stem]):
        for pin in pins[canonicalize_name(asked.name)]:
            (version,) = pin.specifier
            assert version.operator == "=="
            assert asked.specifier.contains(version.version, prereleases=True), f"{asked} is pinned to {pin}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_archive_is_known_by_its_hash(lock: Path) -> None:
    assert [entry for entry in entries(lock) if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_no_lock_says_where_to_get_things(lock: Path) -> None:
    assert re.search(r"://|--index|--find-links|--extra-index", lock.read_text()) is None


@pytest.mark.parametrize("place", ["web", "tools/lighthouse"])
def test_a_lock_of_npm_knows_each_package_by_its_hash_and_not_by_its_place(place: str) -> None:
    packages = json.loads((HOUSE / place / "package-lock.json").read_text())["packages"]
    assert (
        packages.pop("")["devDependencies"]
        == json.loads((HOUSE / place / "package.json").read_text())["devDependencies"]
    )
    assert [name for name, one in packages.items() if not one.get("integrity", "").startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_an_extra_moves_nothing_that_the_gateway_runs_on(extra: str) -> None:
    run, more = pinned(HOUSE / "requirements/run.txt"), pinned(HOUSE / f"requirements/{extra}.txt")
    assert {name: [str(pin.specifier) for pin in more[name]] for name in run} == {
        name: [str(pin.specifier) for pin in pins] for name, pins in run.items()
    }
