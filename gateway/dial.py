"""`yihao dial`: a caller in the terminal, on pyVoIP. It plays a file, and keeps what it hears.

pyVoIP is GPL-3 and lives in threads that may hang, so it runs in a process of its own (`python -m gateway.dial`),
imports nothing of ours, and everything has a time-out. Its A-law is broken, so only µ-law is offered.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
import wave
from importlib import import_module
from pathlib import Path
from typing import Any

FRAME = 160
"""Bytes in 20 ms of 8-bit audio at 8 kHz, which is what pyVoIP reads and writes."""
QUIET_AFTER_S = 0.5


def main() -> int:
    """Dial; 0 when the call was answered and sound was heard, else 1 (2 for a missing part)."""
    arguments = _parser().parse_args()
    guard = threading.Timer(arguments.seconds + 20.0, _give_up)
    guard.daemon = True
    guard.start()
    try:
        import_module("pyVoIP.VoIP")
    except ImportError:
        _say("pyVoIP is not installed: run `make run` once, or `pip install -r requirements/dial.txt` (Python < 3.13)")
        return 2
    return _dial(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yihao dial", description="Call the number from the terminal.")
    parser.add_argument("number", nargs="?", default="12345")
    parser.add_argument("--server", default="127.0.0.1:5060", help="where SIP listens, host:port")
    parser.add_argument("--play", type=Path, help="a WAV file, 8 kHz mono, to say")
    parser.add_argument("--save", type=Path, default=Path("heard.wav"), help="where to keep what is heard")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to stay")
    parser.add_argument("--as", dest="caller", default="13800138000", help="the number to call from")
    return parser


def _dial(arguments: argparse.Namespace) -> int:
    voip: Any = import_module("pyVoIP.VoIP")
    pyvoip: Any = import_module("pyVoIP")
    pyvoip.RTPCompatibleCodecs = [pyvoip.RTP.PayloadType.PCMU, pyvoip.RTP.PayloadType.EVENT]
    host, _, port = arguments.server.rpartition(":")
    phone: Any = voip.VoIPPhone(
        host,
        int(port),
        arguments.caller,
        "",
        myIP="127.0.0.1",
        sipPort=_free_port(),
        rtpPortLow=40000,
        rtpPortHigh=49000,
    )
    phone.start = _start_without_registering(phone)
    phone.start()
    call = phone.call(arguments.number)
    return 0 if _talk(call, voip.CallState, arguments) else 1


def _start_without_registering(phone: Any) -> Any:
    """A citizen's telephone is registered nowhere: only the receiving half of pyVoIP's start is wanted."""

    def start() -> None:
        sip = phone.sip
        sip.NSD = True
        sip.s.bind((sip.myIP, sip.myPort))
        sip.out = sip.s
        threading.Thread(target=sip.recv_loop, daemon=True).start()

    return start


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _talk(call: Any, states: Any, arguments: argparse.Namespace) -> bool:
    end = time.monotonic() + arguments.seconds
    while call.state in {states.DIALING, states.RINGING}:
        if time.monotonic() > end:
            _say("no answer")
            return False
        time.sleep(0.05)
    if call.state != states.ANSWERED:
        _say("refused")
        return False
    _say("answered")
    if arguments.play:
        call.write_audio(_read_wave(arguments.play))
    heard = _listen(call, states, end)
    if call.state == states.ANSWERED:
        call.hangup()
    _save(arguments.save, heard)
    loud = sum(1 for byte in heard if abs(byte - 128) > 4) / 8000
    _say(f"heard {len(heard) / 8000:.1f} s, {loud:.1f} s of them not silent; kept in {arguments.save}")
    return loud > QUIET_AFTER_S


def _listen(call: Any, states: Any, end: float) -> bytes:
    heard = bytearray()
    started = time.monotonic()
    while call.state == states.ANSWERED and time.monotonic() < end:
        frame = call.read_audio(FRAME, blocking=False)
        heard += frame
        due = started + len(heard) / 8000
        time.sleep(max(0.0, due - time.monotonic()))
    return bytes(heard)


def _read_wave(path: Path) -> bytes:
    """A file's samples as unsigned bytes, the form that pyVoIP takes."""
    with wave.open(str(path), "rb") as file:
        if file.getframerate() != 8000 or file.getnchannels() != 1:
            raise SystemExit("--play wants 8 kHz mono")
        frames = file.readframes(file.getnframes())
        if file.getsampwidth() == 1:
            return frames
    return bytes(
        (int.from_bytes(frames[i : i + 2], "little", signed=True) >> 8) + 128 for i in range(0, len(frames), 2)
    )


def _save(path: Path, heard: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(heard)


def _give_up() -> None:
    _say("timed out")
    os._exit(1)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pyVoIP leaves threads behind that never end
