"""`yihao dial` against sipp: a caller who registers nowhere is answered, refused, hung up on, or hangs up."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers.sipp import ACKNOWLEDGED, CALLED, CANCELLED, ECHO, HANG_UP, HUNG_UP, Sipp, pause, response
from tests.peers.sound import likeness, loudness, read_wave, speech, write_wave

ONE_CALL = ("-m", "1")


async def dial(folder: Path, server: str, *more: str) -> tuple[asyncio.subprocess.Process, Path]:
    """The command in a process of its own, as the command line runs it."""
    heard = folder / "heard.wav"
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway.dial", "12345", "--server", server, "--save", str(heard), *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return program, heard


async def outcome(program: asyncio.subprocess.Process, deadline_s: float = 15.0) -> tuple[int | None, str]:
    out, errors = await asyncio.wait_for(program.communicate(), deadline_s)
    return program.returncode, (out + errors).decode()


@pytest.fixture
def answering(tmp_path: Path, free_port: Callable[[], int]) -> Callable[..., tuple[Sipp, str]]:
    def make(*steps: str) -> tuple[Sipp, str]:
        port, media = free_port(), free_port()
        arguments = (*ONE_CALL, "-p", str(port), "-mp", str(media), "-rtp_echo")
        return Sipp(tmp_path / "sipp", "", steps, arguments=arguments), f"127.0.0.1:{port}"

    return make


async def test_says_a_file_and_keeps_what_it_hears(tmp_path: Path, answering: Callable[..., tuple[Sipp, str]]) -> None:
    said = speech(2, seed=5)
    file = write_wave(tmp_path / "said.wav", said)
    called, server = answering(CALLED, ECHO, HUNG_UP)
    async with called:
        program, heard = await dial(tmp_path, server, "--play", str(file), "--seconds", "3.5")
        code, text = await outcome(program)
        assert code == 0, text
        await called.succeeded()  # ACK and BYE were in the dialog, else sipp would not have taken them
    assert likeness(said, read_wave(heard)[0]).correlation >= 0.9


async def test_the_other_side_hangs_up(tmp_path: Path, answering: Callable[..., tuple[Sipp, str]]) -> None:
    called, server = answering(CALLED, ECHO, pause(600), HANG_UP)
    async with called:
        program, heard = await dial(tmp_path, server, "--seconds", "20")
        code, text = await outcome(program)
        assert code == 1, text  # nothing but silence was heard
        assert "answered" in text
        await called.succeeded()
    assert loudness(read_wave(heard)[0]) < 1000


@pytest.mark.parametrize("status", [404, 486, 503])
async def test_is_refused(tmp_path: Path, answering: Callable[..., tuple[Sipp, str]], status: int) -> None:
    called, server = answering(CALLED, response(status, tag="no"), ACKNOWLEDGED)
    async with called:
        program, _ = await dial(tmp_path, server)
        code, text = await outcome(program)
        assert (code, text.strip()) == (1, f"not answered: {status}")
        await called.succeeded()


async def test_gives_up_when_nobody_answers(tmp_path: Path, answering: Callable[..., tuple[Sipp, str]]) -> None:
    called, server = answering(CALLED, response(180, tag="ringing"), CANCELLED)
    async with called:
        program, _ = await dial(tmp_path, server, "--seconds", "1")
        code, text = await outcome(program)
        assert (code, text.strip()) == (1, "not answered in time")
        await called.succeeded()


async def test_hangs_up_by_control_c(tmp_path: Path, answering: Callable[..., tuple[Sipp, str]]) -> None:
    called, server = answering(CALLED, ECHO, HUNG_UP)
    async with called:
        program, heard = await dial(tmp_path, server)
        assert program.stdout is not None
        assert b"answered" in await asyncio.wait_for(program.stdout.readline(), 15)
        program.send_signal(signal.SIGINT)
        await outcome(program)
        await called.succeeded()
    assert heard.exists()


async def test_wants_a_file_that_it_can_say(tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_text("no sound")
    program, _ = await dial(tmp_path, "127.0.0.1:9", "--play", str(bad))
    code, text = await outcome(program)
    assert code == 2
    assert "--play" in text


async def test_wants_a_server_that_is_one(tmp_path: Path) -> None:
    program, _ = await dial(tmp_path, "nowhere")
    code, text = await outcome(program)
    assert code == 2
    assert "host:port" in text
