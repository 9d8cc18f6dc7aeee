"""How many calls a second are set up on one core, beside sippy's B2BUA and Kamailio's stateful proxy.

sipp calls at a steady rate, and another sipp is the telephone that rings, answers and is hung up: INVITE, 180, 200,
ACK, a moment, BYE. What stands between the two is pinned to one core, which neither sipp uses. A rate is carried when
every call was set up and ended at both sides. The highest is searched for by halving, in rounds that take the subjects
in turn; medians are compared.

- ours: the phone channel with a core in memory, which rings the telephone for each call and joins the two when it picks
  up: two dialogs, and an audio session with two ends of its own, in a process on another core as in the product. No
  sound flows (`a=inactive`): the others carry none.
- limit: sippy's `b2bua_simple`: two dialogs, SDP passed through. Missing where `make bench` could not
  install it.
- kamailio: a stateful proxy, SDP passed through. Missing where Debian's package is not installed.

Then, at half of what ours carries: how long from the caller's INVITE to the telephone that rings. The 99th percentile
is to be below 50 ms.

`--short` makes one round of short trials over every fourth rate.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.hotline import Address

ROOT = Path(__file__).parents[1]
SIPPY = ROOT / ".venv" / "peers" / "bin" / "b2bua_simple"
LEVELS = [round(25 * 1.12**step) for step in range(45)]
RINGS_MS = 50
TALK_MS = 400
LATE_MS = 50.0
LAGS = 0.25
"""Behind the rate, of the trial's time: who needs longer than that for the last calls does not carry it."""
STARTS_S = 60.0

_SDP = """v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 9 RTP/AVP 8
a=inactive
"""
_XML = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n'
_NOTE = '<log message="began [timestamp] {}"/>'
CALLER = f"""<scenario name="caller"><nop><action>{_NOTE.format("1380[call_number]")}</action></nop>
<send retrans="500"><![CDATA[
INVITE sip:12345@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:1380[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
To: <sip:12345@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:1380[call_number]@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

{_SDP}]]></send>
<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="183" optional="true"/>
<recv response="200" rrs="true" timeout="4000"/>
<send><![CDATA[
ACK [target] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:1380[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
[last_To:]
[routes]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<pause milliseconds="{TALK_MS}"/>
<send retrans="500"><![CDATA[
BYE [target] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:1380[call_number]@[local_ip]:[local_port]>;tag=c[call_number]
[last_To:]
[routes]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200" timeout="4000"/>
</scenario>"""


def _answer(status: str, *more: str, to: str = ";tag=t[call_number]", body: str = "") -> str:
    lines = (f"SIP/2.0 {status}", "[last_Via:]", "[last_From:]", f"[last_To:]{to}", "[last_Call-ID:]", "[last_CSeq:]")
    again = ' retrans="500"' if body else ""
    head = "\n".join((*lines, *more, "Content-Length: [len]"))
    return f"<send{again}><![CDATA[\n{head}\n\n{body}]]></send>"


_CONTACT = ("[last_Record-Route:]", "Contact: <sip:phone@[local_ip]:[local_port]>")
TELEPHONE = f"""<scenario name="telephone">
<recv request="INVITE"><action>
<ereg regexp="1380[0-9]+" search_in="hdr" header="From:" assign_to="who"/>
<log message="rings [timestamp] [$who]"/>
</action></recv>
{_answer("180 Ringing", *_CONTACT)}
<pause milliseconds="{RINGS_MS}"/>
{_answer("200 OK", *_CONTACT, "Content-Type: application/sdp", body=_SDP)}
<recv request="ACK" timeout="4000"/>
<recv request="BYE" timeout="8000"/>
{_answer("200 OK", to="")}
</scenario>"""
_NOTED = re.compile(r"(began|rings)\s.*?(\d{9,}\.\d+)\s+(1380\d+)")

KAMAILIO = """
children=1
disable_tcp=yes
auto_aliases=no
log_stderror=no
listen=udp:127.0.0.1:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
request_route {{
    if ($tt != $null) {{
        if (loose_route()) {{ t_relay(); }}
        exit;
    }}
    if ($rm == "INVITE") {{ record_route(); }}
    $ru = "sip:phone@127.0.0.1:{telephone}";
    t_relay();
}}
"""


class Missing(Exception):
    """A peer that is not on this machine."""


def free_port() -> int:
    """One that is free for UDP and TCP: ours listens on both."""
    while True:
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            port = int(stream.getsockname()[1])
            with contextlib.suppress(OSError):
                datagrams.bind(("127.0.0.1", port))
                return port


@dataclass(frozen=True)
class Running:
    """One of those that are measured: its address, and the port at which the telephone has to be."""

    name: str
    server: Address
    telephone: int
    pid: int

    def spent_s(self) -> tuple[float, float]:
        """Of its core, by itself and its children there; and by children elsewhere, as the sound of ours is."""
        children = [int(child) for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        there = os.sched_getaffinity(self.pid)
        elsewhere = [child for child in children if os.sched_getaffinity(child) != there]
        spent = (_ticks(each) for each in ([self.pid, *(set(children) - set(elsewhere))], elsewhere))
        own_s, others_s = (ticks / os.sysconf("SC_CLK_TCK") for ticks in spent)
        return own_s, others_s


def _ticks(pids: list[int]) -> int:
    stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(fields[11]) + int(fields[12]) for fields in stats)


@contextlib.contextmanager
def subject(name: str, core: int, other: int, folder: Path) -> Iterator[Running]:
    """Started, and pinned."""
    port, telephone = free_port(), free_port()
    if name == "ours":
        words = [sys.executable, "-m", "benchmarks.hotline", str(port), str(telephone), str(other), str(folder)]
    elif name == "limit":
        if not SIPPY.exists():
            raise Missing
        words = [str(SIPPY), "-f", "-l", "127.0.0.1", "-p", str(port), "-n", f"127.0.0.1:{telephone}"]
        words += ["-L", str(folder / "sippy.log")]
    else:
        found = shutil.which("kamailio", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if found is None:
            raise Missing
        (folder / "kamailio.cfg").write_text(KAMAILIO.format(port=port, telephone=telephone))
        words = [found, "-DD", "-E", "-f", str(folder / "kamailio.cfg"), "-m", "256", "-Y", str(folder)]
    child = subprocess.Popen(
        ["taskset", "-c", str(core), *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "SIPLOG_BEND": "none"},
    )
    try:
        await_bound(port, child)
        yield Running(name, ("127.0.0.1", port), telephone, child.pid)
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def await_bound(port: int, child: subprocess.Popen[bytes]) -> None:
    """Until its UDP port is taken (and, of ours, the telephone is known)."""
    ends_at = time.monotonic() + STARTS_S
    wanted = f"0100007F:{port:04X}"
    while wanted not in Path("/proc/net/udp").read_text():
        if child.poll() is not None or time.monotonic() > ends_at:
            raise RuntimeError(f"{child.args!r} does not start")
        time.sleep(0.05)
    time.sleep(0.3)


class Trial(NamedTuple):
    """One rate for a while."""

    carried: bool
    cost_ms: float
    """Of the core, a call."""
    beside_ms: float
    """Of the other core: what the sound takes."""
    late_ms: list[float]
    """From each INVITE to its telephone that rings."""


class Found(NamedTuple):
    """The highest rate that is carried, and what a call costs there."""

    rate: int
    cost_ms: float
    beside_ms: float


def trial(running: Running, rate: int, seconds: float, core: int) -> Trial:
    calls = round(rate * seconds)
    with tempfile.TemporaryDirectory(prefix="yihao-setup-") as named:
        folder = Path(named)
        (folder / "caller.xml").write_text(_XML + CALLER)
        (folder / "telephone.xml").write_text(_XML + TELEPHONE)
        common = ("-i", "127.0.0.1", "-nostdin", "-trace_logs", "-m", str(calls), "-timeout", f"{seconds + 12:.0f}s")
        ends = [
            _sipp(core, folder, "telephone", *common, "-p", str(running.telephone)),
            _sipp(core, folder, "caller", *common, *_caller(running, rate)),
        ]
        ends_at, before_s = time.monotonic() + (1 + LAGS) * seconds + TALK_MS / 1000, running.spent_s()
        went_well = [_ended_well(each, ends_at) for each in ends]  # neither is left running
        spent = zip(running.spent_s(), before_s, strict=True)
        cost_ms, beside_ms = ((after_s - earlier_s) * 1000 / calls for after_s, earlier_s in spent)
        return Trial(all(went_well), cost_ms, beside_ms, _late(folder))


def _caller(running: Running, rate: int) -> tuple[str, ...]:
    """A proxy leaves the far end's address standing; sippy writes its own in a form that sipp does not read."""
    at = f"{running.server[0]}:{running.server[1]}"
    target = f"sip:phone@127.0.0.1:{running.telephone}" if running.name == "kamailio" else f"sip:12345@{at}"
    return "-p", str(free_port()), "-r", str(rate), "-key", "target", target, at


def _sipp(core: int, folder: Path, what: str, *arguments: str) -> subprocess.Popen[bytes]:
    words = ["taskset", "-c", str(core), "sipp", "-sf", f"{what}.xml", "-log_file", f"{what}.log", *arguments]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)


def _ended_well(sipp: subprocess.Popen[bytes], by: float) -> bool:
    """Whether all its calls went as they should; what takes longer than until then is not waited for."""
    try:
        return sipp.wait(max(0.0, by - time.monotonic())) == 0
    except subprocess.TimeoutExpired:
        sipp.kill()
        sipp.wait()
        return False


def _late(folder: Path) -> list[float]:
    noted: dict[str, dict[str, float]] = {"began": {}, "rings": {}}
    for log in folder.glob("*.log"):
        for what, at_s, who in _NOTED.findall(log.read_text(errors="replace")):
            noted[what].setdefault(who, float(at_s))
    return [(at - noted["began"][who]) * 1000 for who, at in noted["rings"].items() if who in noted["began"]]


def highest(name: str, rates: list[int], seconds: float, chances: int, cores: list[int], folder: Path) -> Found:
    """By halving. Each trial has a subject that is started anew: what one left behind is no burden of the next."""
    low, high, cost_ms, beside_ms = -1, len(rates), 0.0, 0.0
    while high - low > 1:
        middle = (low + high) // 2
        for _chance in range(chances):
            with subject(name, cores[0], cores[-1], folder) as running:
                got = trial(running, rates[middle], seconds, cores[-1])
            verdict = "carried" if got.carried else "not carried"
            spent = f"{got.cost_ms:5.2f} ms of the core a call and {got.beside_ms:4.2f} of the other"
            print(f"{name:9} {rates[middle]:5} calls/s  {spent}  {verdict}", flush=True)
            if got.carried:
                break
        if got.carried:
            low, cost_ms, beside_ms = middle, got.cost_ms, got.beside_ms
        else:
            high = middle
    return Found(rates[low] if low >= 0 else 0, cost_ms, beside_ms)


def percentile(found: list[float], share: float) -> float:
    return sorted(found)[min(len(found) - 1, int(len(found) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    short = parser.parse_args().short
    rounds, seconds, chances, step = (1, 1.5, 1, 4) if short else (3, 6.0, 2, 1)
    cores = sorted(os.sched_getaffinity(0))
    names = ["ours", "limit", "kamailio"]
    found: dict[str, list[Found]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="yihao-setup-") as named:
        folder = Path(named)
        for turn in range(rounds):
            for name in names[turn % 3 :] + names[: turn % 3]:
                try:
                    found[name].append(highest(name, LEVELS[::step], seconds, chances, cores, folder))
                except Missing:
                    print(f"{name}: peer missing", flush=True)
        ours = statistics.median(each.rate for each in found["ours"])
        with subject("ours", cores[0], cores[-1], folder) as running:
            late = trial(running, max(1, round(ours / 2)), 4.0 if short else 20.0, cores[-1]).late_ms
    median = {name: statistics.median(one.rate for one in each) if each else None for name, each in found.items()}
    limit = median["limit"]
    line = {
        "name": "setup",
        "value": ours,
        "limit": limit,
        "ratio": round(ours / limit, 2) if limit else None,
        "unit": "calls set up a second on one core; limit: sippy's B2BUA",
        "kamailio": median["kamailio"],
        "rings_p50_ms": round(statistics.median(late), 1) if late else None,
        "rings_p99_ms": round(percentile(late, 0.99), 1) if late else None,
        "rings_limit_ms": LATE_MS,
        "core_ms_a_call": {
            name: round(statistics.median(one.cost_ms for one in each), 2) for name, each in found.items() if each
        },
        "sound_ms_a_call": round(statistics.median(one.beside_ms for one in found["ours"]), 2),
        "rounds": {name: [one.rate for one in each] for name, each in found.items()},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
