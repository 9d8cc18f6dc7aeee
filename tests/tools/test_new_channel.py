"""A channel begun from the template, in a copy of the house: it works and keeps every rule before a line is changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
NAME = "parcels"
pytestmark = pytest.mark.timeout(240)  # it runs whole suites of its own
CHANGED = {"config/settings.py", "config/default.toml"}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git keeps, and what it would."""
    copy = tmp_path_factory.mktemp("house")
    for name in _run(HOUSE, "git", "ls-files", "-co", "--exclude-standard").stdout.splitlines():
        if (HOUSE / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HOUSE / name, copy / name)
    _run(copy, "git", "init", "--quiet")
    _run(copy, "git", "add", "--all")
    _begin(copy, NAME)
    _run(copy, "git", "add", "--all", "--intent-to-add")
    return copy


def _begin(house: Path, name: str) -> None:
    _run(house, sys.executable, "tools/new_channel.py", name)


def _run(folder: Path, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    paths = {**os.environ, "PYTHONPATH": str(folder)}  # a gateway that the copy starts is the copy's
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=paths)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


def test_it_is_one_folder_its_section_and_its_tests(house: Path) -> None:
    changed = set(_run(house, "git", "diff", "--name-only").stdout.splitlines())
    own = (f"channels/{NAME}/", f"tests/channels/{NAME}/")
    assert not {name for name in changed - CHANGED if not name.startswith(own)}
    assert changed >= CHANGED
    assert "postbox" not in "".join(path.read_text() for path in (house / "channels" / NAME).rglob("*.py")).lower()


def test_it_passes_the_contracts_suite_and_its_own(house: Path) -> None:
    """And the gateway opens it by its section, without a word of the gateway's being changed."""
    done = _run(
        house, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        "tests/channels/test_contract.py", f"tests/channels/{NAME}", "tests/gateway/test_doors.py",
        "-k", f"{NAME} or every_channel or every_door",
    )  # fmt: skip
    assert f"tests/channels/{NAME}" not in done.stdout, done.stdout
    passed = int(done.stdout.rsplit(" passed", 1)[0].rsplit(maxsplit=1)[-1])
    assert passed >= 11 + 19, "every test of the contract, and every one of its own"


def test_the_rules_of_the_house_hold_for_it(house: Path) -> None:
    tools = Path(sys.executable).parent
    _run(house, str(tools / "lint-imports"))
    _run(house, str(tools / "ruff"), "check", f"channels/{NAME}", f"tests/channels/{NAME}", "config")
    _run(house, str(tools / "ruff"), "format", "--check", f"channels/{NAME}", f"tests/channels/{NAME}", "config")
    _run(
        house, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        "tests/test_house.py", "tests/config/test_loading.py",
    )  # fmt: skip


@pytest.mark.slow
def test_it_takes_part_in_the_one_dialogue(house: Path) -> None:
    """A gateway that runs from the copy, with every channel open and this one among them."""
    pages = house / "gateway" / "static"
    pages.mkdir(exist_ok=True)
    (pages / "index.html").touch()
    _run(house, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/scenarios/test_dialogue.py")


@pytest.mark.slow
def test_its_types_hold(house: Path) -> None:
    _run(house, sys.executable, "-m", "mypy", f"channels/{NAME}", f"tests/channels/{NAME}", "config")


@pytest.mark.parametrize("name", ["", "Parcels", "9lives", "phone", "parcels", "postbox", "sip", "a", "x" * 21, "../x"])
def test_a_name_that_cannot_be_is_refused_and_nothing_is_changed(house: Path, name: str) -> None:
    before = _run(house, "git", "status", "--short").stdout
    assert _run(house, sys.executable, "tools/new_channel.py", name, check=False).returncode == 1
    assert _run(house, "git", "status", "--short").stdout == before


@pytest.mark.parametrize("name", ["aa", "zz9"])
def test_any_name_has_its_place_among_imports(house: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "house"
    shutil.copytree(house, copy, ignore=shutil.ignore_patterns(".git", "web", "media", "__pycache__"))
    _begin(copy, name)
    _run(copy, str(Path(sys.executable).parent / "ruff"), "check", f"channels/{name}", f"tests/channels/{name}")
