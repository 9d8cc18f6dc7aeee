"""pyVoIP as an independent caller: `yihao dial` hears the welcome, and `yihao probe` knows that it was that."""

import asyncio
import json
import sys
from pathlib import Path

from tests.peers.sound import RATE, likeness, read_wave
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt


async def test_the_caller_in_the_terminal_and_the_prober_hear_the_welcome(gateway: Yihao, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    welcome = prompt("welcome")[: 3 * RATE]
    seconds = len(welcome) / RATE + 1.5
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("yihao")),
        *("dial", "12345", "--server", gateway.sip_text, "--save", str(heard), "--seconds", str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    prober = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("yihao")),
        *("probe", "--server", gateway.sip_text, "--count", "1", "--as", "13900139000", "--seconds", str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(program.communicate(), 60)
    found, _ = await asyncio.wait_for(prober.communicate(), 60)
    assert program.returncode == 0, said.decode()
    assert prober.returncode == 0, found.decode()
    assert json.loads(found)["heard"]
    assert likeness(welcome, read_wave(heard)[0]).correlation >= 0.9
