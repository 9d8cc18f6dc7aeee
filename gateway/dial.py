"""`yihao dial`: a caller in the terminal, on pyVoIP. It plays a file, and keeps what it hears.

pyVoIP is GPL-3: this is a program of its own (`python -m gateway.dial`), which imports nothing of ours and is imported
by nobody. A citizen's telephone is registered nowhere, which pyVoIP 1.6.8 does not foresee: its `call()` waits for ever
unless a 100 or 180 comes first, its ACK bears a To tag of its own making, its ACK and BYE go round the proxies between,
and most refusals are not heard. Those parts are done here; its parser, its dialog and its sound are used. Its A-law is
encoded by the µ-law table, so only µ-law is offered. It works in threads that may hang, so everything has a bound.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import wave
from pathlib import Path
from typing import Any, cast

try:
    from pyVoIP import VoIP  # before the others, which go in a circle with it
    from pyVoIP.RTP import PayloadType, TransmitType
    from pyVoIP.SIP import SIPMessage, SIPMessageType
except ImportError:
    sys.stderr.write(
        "pyVoIP is not installed: run `make run` once, or `pip install -r requirements/dial.txt` in the environment\n"
    )
    sys.exit(2)

RATE = 8000
MOST_SECONDS = 600.0
"""pyVoIP keeps all that it hears in memory."""
RESEND_AFTER_S = (0.5, 1.0, 2.0, 4.0)
"""Timer A of RFC 3261 §17.1.1.2, as long as nothing at all has come back."""
GOODBYE_S = 1.0
"""How long to wait for the answer to CANCEL, which must be acknowledged."""
SILENCE = 128
"""pyVoIP's sound is unsigned bytes."""
LOUD = 4
LEAST_LOUD_S = 0.5


class Telephone:
    """A telephone with one line, registered nowhere."""

    def __init__(self, server: str, port: int, caller: str) -> None:
        address = _own_address(server, port)
        self._phone = cast("Any", VoIP.VoIPPhone(server, port, caller, "", myIP=address, sipPort=0))
        self._sip = self._phone.sip
        self._sip.s = self._sip.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sip.s.bind((address, 0))
        self._sip.myPort = self._sip.s.getsockname()[1]
        self._sip.gen_ack, self._sip.gen_bye = self._ack, self._bye
        self._hear = self._sip.parse_message
        self._sip.parse_message = self._parse_message
        self.status = 0
        """Of the last response to the INVITE; 0 before any."""
        self.is_acknowledged = False
        """The ACK is sent: only now may a BYE follow. pyVoIP says `ANSWERED` a moment sooner."""
        self.call: Any = None
        self.times: dict[str, float] = {}
        """From the INVITE to the first response and to the answer, in seconds."""
        self._invite = ""
        self._routes: list[str] = []
        """The proxies that are between, from the answer (RFC 3261 §12.1.2)."""
        self._sent_at = 0.0

    def dial(self, number: str) -> Any:
        """Send the INVITE and give the call, whose state tells the rest."""
        sip, phone = self._sip, self._phone
        port = _free_port(sip.myIP)
        media = {port: {0: PayloadType.PCMU, 101: PayloadType.EVENT}}
        call_id, session_id = sip.gen_call_id(), sip.sessID.next()
        branch = sip.gen_branch()
        self._invite = sip.gen_invite(number, str(session_id), media, TransmitType.SENDRECV, branch, call_id)
        request = SIPMessage(self._invite.encode())
        self.call = cast("Any", VoIP.VoIPCall)(phone, VoIP.CallState.DIALING, request, session_id, sip.myIP, ms=media)
        phone.calls[call_id] = self.call
        phone.NSD = sip.NSD = True
        threading.Thread(target=sip.recv_loop, daemon=True).start()
        threading.Thread(target=self._send_invite, daemon=True).start()
        return self.call

    def hang_up(self) -> None:
        """BYE after an answer, CANCEL before one."""
        if self.call.state == VoIP.CallState.ANSWERED:
            self.call.hangup()
        elif self.call.state == VoIP.CallState.DIALING:
            self._send(self._within("CANCEL"))
            _wait_until(lambda: self.status >= 300, GOODBYE_S)

    def heard(self) -> bytes:
        """All that arrived, each packet at the place that its timestamp says; unsigned bytes at 8 kHz."""
        return b"".join(client.pmin.buffer.getvalue() for client in self.call.RTPClients[:1])

    def _send_invite(self) -> None:
        self._sent_at = time.monotonic()
        for pause in RESEND_AFTER_S:
            self._send(self._invite)
            if _wait_until(lambda: self.status > 0, pause):
                return

    def _parse_message(self, message: Any) -> None:
        """Hear every response to the INVITE, and acknowledge refusals, of which pyVoIP knows two."""
        is_ours = message.type == SIPMessageType.RESPONSE and message.headers["CSeq"]["method"] == "INVITE"
        if not is_ours:
            self._hear(message)
            return
        self.status = int(message.status)
        self.times.setdefault("round_trip_s", round(time.monotonic() - self._sent_at, 4))
        if 200 <= self.status < 300:
            self.times.setdefault("answer_s", round(time.monotonic() - self._sent_at, 4))
            self._routes = _recorded(message.raw)
        if self.status < 300:
            self._hear(message)
            self.is_acknowledged = self.status >= 200
        else:
            self._send(self._within("ACK", message.headers["To"]["tag"]))
            self.call.state = VoIP.CallState.ENDED

    def _ack(self, response: Any) -> str:
        """The ACK of a 2xx: a transaction of its own, to the Contact (RFC 3261 §13.2.2.4)."""
        uri = response.headers["Contact"].partition("<")[2].partition(">")[0]
        return self._within("ACK", response.headers["To"]["tag"], uri, self._sip.gen_branch())

    def _bye(self, request: Any) -> str:
        """The next request after the INVITE; its Contact and tag are the answer's by now."""
        uri = request.headers["Contact"].partition("<")[2].partition(">")[0]
        number = int(request.headers["CSeq"]["check"]) + 1
        return self._within("BYE", request.headers["To"]["tag"], uri, self._sip.gen_branch(), number)

    def _within(self, method: str, to_tag: str = "", uri: str = "", branch: str = "", number: int = 0) -> str:
        """A request on the INVITE's transaction, or in the dialog when it has a URI and a branch of its own."""
        sip, headers = self._sip, self.call.request.headers
        routes = "".join(f"Route: {proxy}\r\n" for proxy in self._routes) if uri else ""
        uri = uri or str(self.call.request.heading, "utf8").split(" ")[1]
        tag = f";tag={to_tag}" if to_tag else ""
        return (
            f"{method} {uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {sip.myIP}:{sip.myPort};branch={branch or headers['Via'][0]['branch']}\r\n"
            "Max-Forwards: 70\r\n"
            f"{routes}"
            f"From: {headers['From']['raw']};tag={headers['From']['tag']}\r\n"
            f"To: {headers['To']['raw']}{tag}\r\n"
            f"Call-ID: {headers['Call-ID']}\r\n"
            f"CSeq: {number or headers['CSeq']['check']} {method}\r\n"
            "Content-Length: 0\r\n\r\n"
        )

    def _send(self, message: str) -> None:
        self._sip.out.sendto(message.encode(), (self._sip.server, self._sip.port))


def main() -> int:
    """Dial; 0 when the call was answered and sound was heard, 1 when not, 2 when the arguments are wrong."""
    arguments = _arguments()
    said = _read_wave(arguments.play) if arguments.play else b""
    guard = threading.Timer(arguments.seconds + 20.0, _give_up)
    guard.daemon = True
    guard.start()
    host, _, port = arguments.server.rpartition(":")
    telephone = Telephone(host, int(port), arguments.caller)
    was_heard = _talk(telephone, arguments, said)
    if arguments.times:
        _say("times: " + json.dumps({"status": telephone.status, **telephone.times}))
    return 0 if was_heard else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="yihao dial", description="Call the number from the terminal.")
    parser.add_argument("number", nargs="?", default="12345")
    parser.add_argument("--server", default="127.0.0.1:5060", help="where SIP listens, host:port")
    parser.add_argument("--play", type=Path, help="a WAV file, 8 kHz mono of 8 or 16 bits, to say")
    parser.add_argument("--save", type=Path, default=Path("heard.wav"), help="where to keep what is heard")
    parser.add_argument("--seconds", type=float, default=30.0, help=f"how long to stay, at most {MOST_SECONDS:.0f}")
    parser.add_argument("--as", dest="caller", default="13800138000", help="the number to call from")
    parser.add_argument("--times", action="store_true", help="say how long the answer took, for a program")
    arguments = parser.parse_args()
    if not 0 < arguments.seconds <= MOST_SECONDS:
        parser.error(f"--seconds wants more than 0 and at most {MOST_SECONDS:.0f}")
    if not arguments.server.rpartition(":")[2].isdigit():
        parser.error("--server wants host:port")
    return arguments


def _talk(telephone: Telephone, arguments: argparse.Namespace, said: bytes) -> bool:
    end = time.monotonic() + arguments.seconds
    leaves = threading.Event()
    # Not a KeyboardInterrupt: raised while pyVoIP holds one of its locks, it would leave it held for ever.
    signal.signal(signal.SIGINT, lambda *_: leaves.set())
    call = telephone.dial(arguments.number)
    _wait_until(
        lambda: telephone.is_acknowledged or call.state == VoIP.CallState.ENDED or leaves.is_set(), arguments.seconds
    )
    if call.state != VoIP.CallState.ANSWERED:
        if not leaves.is_set():
            _say(f"not answered: {telephone.status}" if telephone.status >= 300 else "not answered in time")
        telephone.hang_up()
        return False
    _say("answered; Ctrl+C hangs up")
    call.write_audio(said)
    _wait_until(lambda: call.state != VoIP.CallState.ANSWERED or leaves.is_set(), end - time.monotonic())
    telephone.hang_up()
    return _keep(telephone.heard(), arguments.save)


def _keep(heard: bytes, path: Path) -> bool:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(RATE)
        file.writeframes(heard)
    loud_s = sum(1 for sample in heard if abs(sample - SILENCE) > LOUD) / RATE
    _say(f"heard {len(heard) / RATE:.1f} s, {loud_s:.1f} s of them not silent; kept in {path}")
    return loud_s >= LEAST_LOUD_S


def _read_wave(path: Path) -> bytes:
    """A file's samples as unsigned bytes, the form that pyVoIP takes."""
    try:
        with wave.open(str(path), "rb") as file:
            form = (file.getframerate(), file.getnchannels(), file.getsampwidth())
            frames = file.readframes(file.getnframes())
    except (OSError, EOFError, wave.Error) as error:
        _fail(f"--play: {error}")
    if form == (RATE, 1, 1):
        return frames
    if form != (RATE, 1, 2):
        _fail("--play wants 8 kHz, one channel, 8 or 16 bits")
    return bytes((high + SILENCE) & 0xFF for high in frames[1::2])


def _recorded(answer: bytes) -> list[str]:
    """The route set of who called: Record-Route, the last first. pyVoIP's own parser keeps one line of several."""
    head = answer.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    lines = re.findall(r"(?im)^record-route[ \t]*:(.*)$", head)
    return [proxy for line in lines for proxy in re.findall(r"<[^>]*>", line)][::-1]


def _own_address(server: str, port: int) -> str:
    """The address of this machine that the server can answer to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((server, port))
        except OSError as error:
            _fail(f"--server {server}: {error}")
        return str(probe.getsockname()[0])


def _free_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _wait_until(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def _give_up() -> None:
    _say("timed out")
    os._exit(1)


def _fail(sentence: str) -> Any:
    sys.stderr.write(f"yihao dial: {sentence}\n")
    sys.exit(2)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pyVoIP leaves threads behind that never end
