"""What failed is run once more alone, and named; what fails for good, or in numbers, stays failed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
UNSTEADY = """
from pathlib import Path
def test_unsteady():
    seen = Path(__file__).with_name("seen")
    again = seen.exists()
    seen.touch()
    assert again
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    shutil.copy(HOUSE / "tools" / "again", tmp_path / "tools" / "again")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / ".venv" / "bin" / "python").chmod(0o700)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(house: Path, source: str) -> subprocess.CompletedProcess[str]:
    """The suite of one file, and then what `make test` does where it fails."""
    (house / "test_it.py").write_text(source)
    plain = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q"]
    first = subprocess.run(command, cwd=house, env=plain, capture_output=True, check=False)
    assert first.returncode == 1
    return subprocess.run([str(house / "tools" / "again")], env=plain, capture_output=True, text=True, check=False)


def test_what_passes_alone_is_named(house: Path) -> None:
    done = run(house, UNSTEADY + "def test_steady(): pass\n")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout, "the steady one is not run again"
    assert done.stdout.splitlines()[-1] == "test_it.py::test_unsteady"


def test_what_fails_again_fails(house: Path) -> None:
    assert run(house, UNSTEADY + "def test_wrong(): assert False\n").returncode != 0


def test_many_are_no_accident(house: Path) -> None:
    most = re.search(r"^MOST=(\d+)$", (HOUSE / "tools" / "again").read_text(), re.MULTILINE)
    assert most is not None
    done = run(house, "\n".join(f"def test_{number}(): assert False" for number in range(int(most[1]) + 1)))
    assert done.returncode != 0
    assert done.stdout == "", "nothing is run again"
