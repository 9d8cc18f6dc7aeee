"""systemd takes the units that we ship, and finds them hardened."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from config.loading import load
from gateway.certificate import Certificate
from gateway.telephony import phone_settings
from tests.peers.yihao import HOUSE

SHIPPED = HOUSE / "deploy" / "systemd"
PROGRAM = "/usr/local/lib/yihao/.venv/bin/yihao"
EXPOSED_AT_MOST = 20
"""Tenths of what systemd calls exposure, of 100: Debian's own services have 90."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units beside Debian's that they add to, with programs that are on this machine."""
    folder = tmp_path / "units"
    shutil.copytree(SHIPPED, folder)
    for debians in ("kamailio", "rtpengine-daemon"):
        shutil.copy(f"/lib/systemd/system/{debians}.service", folder)
    text = (folder / "yihao@.service").read_text()
    assert text.count(PROGRAM) == 2
    (folder / "yihao@.service").write_text(text.replace(PROGRAM, str(Path(sys.executable).with_name("yihao"))))
    return folder


def analyze(folder: Path, *arguments: str) -> str:
    made = subprocess.run(
        ["systemd-analyze", *arguments],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:/lib/systemd/system", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return made.stdout + made.stderr


@pytest.mark.parametrize("unit", ["yihao@one.service", "kamailio.service", "rtpengine-daemon.service"])
def test_systemd_finds_nothing_wrong(units: Path, unit: str) -> None:
    said = analyze(units, "verify", "--man=no", "--recursive-errors=no", unit)
    assert not [line for line in said.splitlines() if "yihao" in line or unit in line]


def test_a_node_has_no_more_than_it_needs(units: Path) -> None:
    exposed = ["security", "--offline=yes", f"--threshold={EXPOSED_AT_MOST}", "--json=short"]
    told: Sequence[object] = json.loads(analyze(units, *exposed, str(units / "yihao@.service")))
    assert told


def test_the_page_shows_settings_that_are_taken(tmp_path: Path) -> None:
    """And the unit gives a node the time to drain that they ask for."""
    file = tmp_path / "one.toml"
    file.write_text((HOUSE / "docs" / "deploy.md").read_text().partition("```toml\n")[2].partition("```")[0])
    settings = load(file=file, environment={})
    assert phone_settings(settings, Certificate(settings.tls)).carriers[0].proxy is not None
    stops_s = float((SHIPPED / "yihao@.service").read_text().partition("TimeoutStopSec=")[2].partition("\n")[0])
    assert stops_s >= settings.drain.bound_s + 30
