"""pyVoIP as an independent caller: `yihao dial` hears the welcome."""

import asyncio
import sys
from pathlib import Path

from tests.peers.sound import RATE, likeness, read_wave
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt


async def test_the_caller_in_the_terminal_hears_the_welcome(gateway: Yihao, tmp_path: Path) -> None:
    heard = tmp_path / "heard.wav"
    welcome = prompt("welcome")[: 3 * RATE]
    seconds = len(welcome) / RATE + 1.5
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("yihao")),
        *("dial", "12345", "--server", gateway.sip_text, "--save", str(heard), "--seconds", str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(program.communicate(), 60)
    assert program.returncode == 0, said.decode()
    assert likeness(welcome, read_wave(heard)[0]).correlation >= 0.9
