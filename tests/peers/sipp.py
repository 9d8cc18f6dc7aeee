"""sipp, Debian's SIP load generator, run with a scenario that the test writes.

Its signalling is sipp's own; the sound of a call is an `RtpEnd` of the test, whose port the scenario offers, since
sipp can play but keeps nothing of what it hears.
"""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.peers.child import start_child, stop_child

_OFFER = """v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [rtp_port] RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=ptime:20
"""


def _request(method: str, cseq: str, lines: str = "", body: str = "", *, within: bool = True) -> str:
    start = f"{method} {'[next_url]' if within else 'sip:[service]@[remote_ip]:[remote_port]'} SIP/2.0"
    return f"""<send{' retrans="500"' if method != "ACK" else ""}><![CDATA[
{start}
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:13800138000@[local_ip]>;tag=sipp[pid][call_number]
To: <sip:[service]@[remote_ip]>{"[peer_tag_param]" if within else ""}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:13800138000@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{"[routes]" + chr(10) if within else ""}{lines}Content-Length: [len]

{body}]]></send>
"""


INVITE = (
    _request("INVITE", "1", "Content-Type: application/sdp\n", _OFFER, within=False)
    + '<recv response="100" optional="true"/><recv response="180" optional="true"/>'
    + '<recv response="183" optional="true"/>'
)
ANSWERED = '<recv response="200" rrs="true" rtd="true"/>' + _request("ACK", "1")
HANG_UP = _request("BYE", "2") + '<recv response="200"/>'


def registration(extension: str, password: str, expires_s: int = 600) -> str:
    """REGISTER, again with the proof that is asked for: by MD5, the only one that it knows. With 0 it is taken back."""
    lines = f"Expires: {expires_s}\n"
    again = f"[authentication username={extension} password={password}]\n"
    return (
        _register(extension, 1, lines)
        + '<recv response="401" auth="true"/>'
        + _register(extension, 2, lines + again)
        + '<recv response="200"/>'
    )


def _register(extension: str, cseq: int, lines: str) -> str:
    return f"""<send retrans="500"><![CDATA[
REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{extension}@[remote_ip]>;tag=sipp[pid]
To: <sip:{extension}@[remote_ip]>
Call-ID: [call_id]
CSeq: {cseq} REGISTER
Contact: <sip:{extension}@[local_ip]:[local_port]>
Max-Forwards: 70
User-Agent: SIPp/3.6
{lines}Content-Length: 0

]]></send>
"""


def response(status: int, lines: str = "", body: str = "", *, tag: str = "") -> str:
    """Answer the last request. The first answer in a dialog gives the To tag."""
    again = ' retrans="500"' if status >= 200 and tag else ""
    return f"""<send{again}><![CDATA[
SIP/2.0 {status} -
[last_Via:]
[last_From:]
[last_To:]{f";tag={tag}" if tag else ""}
[last_Call-ID:]
[last_CSeq:]
{lines}Content-Length: [len]

{body}]]></send>
"""


HUNG_UP = '<recv request="BYE" timeout="60000"/>' + response(200)
CALLED = '<recv request="INVITE" timeout="20000"/>'
ACKNOWLEDGED = '<recv request="ACK" timeout="5000"/>'
CANCELLED = (
    '<recv request="CANCEL" timeout="20000"/>'
    + response(200)  # the INVITE's own end is left out: sipp keeps one request
)
ECHO = (
    response(180, tag="sipp[call_number]")
    + response(
        200,
        "Contact: <sip:[local_ip]:[local_port]>\nContent-Type: application/sdp\n",
        """v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
""",
        tag="sipp[call_number]",
    )
    + ACKNOWLEDGED
)
"""Ring and answer; run with `-rtp_echo`, it says what it hears."""


def pause(milliseconds: int) -> str:
    """The call goes on."""
    return f'<pause milliseconds="{milliseconds}"/>'


class SippMissingError(Exception):
    """No sipp on this machine."""

    def __init__(self) -> None:
        super().__init__("sipp is not on this machine: install Debian's package sip-tester")


@dataclass
class Sipp:
    """One run of a scenario made of the pieces above, against `server` (host:port), or waiting for calls without one.

    `arguments` are sipp's own, such as `-m 10 -r 5`. As every telephone it answers an OPTIONS within its call (`-aa`).
    """

    folder: Path
    server: str
    steps: Sequence[str]
    rtp_port: int = 6000
    arguments: Sequence[str] = ("-m", "1")
    number: str = "12345"
    _child: subprocess.Popen[bytes] | None = field(default=None)

    async def __aenter__(self) -> Self:
        program = shutil.which("sipp")
        if program is None:
            raise SippMissingError
        self.folder.mkdir(parents=True, exist_ok=True)
        scenario = self.folder / "scenario.xml"
        scenario.write_text(
            '<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE scenario SYSTEM "sipp.dtd">'
            f'<scenario name="test">{"".join(self.steps)}</scenario>'
        )
        self._child = start_child(
            [
                *(
                    program,
                    *([self.server] if self.server else []),
                    "-sf",
                    str(scenario),
                    "-s",
                    self.number,
                    "-i",
                    "127.0.0.1",
                    "-nostdin",
                ),
                *("-key", "rtp_port", str(self.rtp_port), "-trace_err", "-trace_stat", "-error_file", "errors.log"),
                *("-stf", "statistics.csv", "-fd", "1", "-aa", *self.arguments),
            ],
            self.folder / "sipp.log",
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._child is not None:
            await asyncio.to_thread(stop_child, self._child, signal.SIGKILL)

    async def succeeded(self, deadline_s: float = 30.0) -> None:
        """Wait for the end of the run; fail the test unless every call went as the scenario says (exit code 0)."""
        assert self._child is not None
        code = await asyncio.to_thread(self._child.wait, deadline_s)
        assert code == 0, f"sipp exited with {code}: {self._errors()}"

    def statistic(self, column: str) -> str:
        """The last value of a column of sipp's statistics, such as `SuccessfulCall(C)` or `FailedCall(C)`."""
        head, *rows = (self.folder / "statistics.csv").read_text().splitlines()
        return dict(zip(head.split(";"), rows[-1].split(";"), strict=False))[column]

    def _errors(self) -> str:
        file = self.folder / "errors.log"
        log = self.folder / "sipp.log"
        return "\n".join(one.read_text(errors="replace")[-1500:] for one in (file, log) if one.exists())
