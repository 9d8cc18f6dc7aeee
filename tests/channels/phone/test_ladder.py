"""Ladders and captures: what is kept of a call, how it is drawn, and that Wireshark reads what we wrote."""

import asyncio
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from channels.phone.capture import packet
from channels.phone.flow import Flow, Protocol3261
from channels.phone.ladder import ROWS, Ladder, Row, Way, draw
from channels.phone.ladders import Ladders, find_capture, read_ladder, recent
from channels.phone.sip.message import respond
from session.ids import AssigneeId, SessionId
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.sip.test_transactions import invite
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_adapter import joined
from tests.conftest import Eventually

FLOW = Flow(Protocol3261.UDP, ("192.0.2.1", 5060))


def kept(folder: Path, core: Core) -> list[Row]:
    return read_ladder(folder, core.contacts[0].leg) or []


async def test_a_whole_call(open_phone: OpenPhone, core: Core, eventually: Eventually, tmp_path: Path) -> None:
    """Both ends of it, who hung up, and nothing that names anybody."""
    folder = tmp_path / "calls"
    async with (
        open_phone(ladders=folder) as phone,
        Telephone(phone.bound, user="13800138000") as caller,
        Telephone(phone.bound, user="8001") as device,
    ):
        await device.register(PASSWORD)
        call = await caller.call()
        await joined(phone, core, device, eventually)
        call.bye()
        await device.request("BYE")
        await eventually(lambda: any(row.what == "over" for row in kept(folder, core)), deadline_s=10)
    rows = kept(folder, core)
    said = [(row.way, row.peer, row.what) for row in rows if row.way is not Way.NOTE]
    for wanted in (
        (Way.IN, "caller", "INVITE"),
        (Way.OUT, "caller", "200 OK"),
        (Way.IN, "caller", "ACK"),
        (Way.OUT, "agent 1", "INVITE"),
        (Way.OUT, "agent 1", "ACK"),
        (Way.IN, "caller", "BYE"),
        (Way.OUT, "agent 1", "BYE"),
    ):
        assert wanted in said, wanted
    notes = [row.what for row in rows if row.way is Way.NOTE]
    assert notes.index("joined") < notes.index("over")
    (over,) = [row for row in rows if row.what == "over"]
    assert over.detail == "the caller hung up"
    text = next(folder.glob("*/*.jsonl")).read_text()
    assert "13800138000" not in text
    assert "8001" not in text
    assert find_capture(folder, core.contacts[0].leg) is None, "captures are off by default"
    drawn = draw(rows)
    assert "INVITE" in drawn
    assert drawn.splitlines()[0].split() == ["yihao", "caller", "agent", "1"]
    bars = [[at for at, one in enumerate(line) if one == "│"] for line in drawn.splitlines() if "│" in line]
    lifelines = max(bars, key=len)
    assert len(lifelines) == 3
    assert all(set(line) <= set(lifelines) for line in bars), drawn


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_wireshark_reads_the_capture(
    open_phone: OpenPhone, core: Core, eventually: Eventually, tmp_path: Path, host: str
) -> None:
    folder = tmp_path / "calls"
    networks = ("127.0.0.0/8", "::1/128")
    async with open_phone(ladders=folder, captures=True, host6="::1", trunks=networks) as phone:
        port = phone.bound[1]
        for tcp in (False, True):
            async with Telephone((host, port), host=host, tcp=tcp) as caller:
                call = await caller.call(extra=('Authorization: Digest username="8001", response="5ec3e7"',))
                call.bye()
                await caller.response("BYE")
        await eventually(lambda: len(list(folder.glob("*/*.pcap"))) == 2, deadline_s=10)
    for contact in core.contacts:
        capture = find_capture(folder, contact.leg)
        assert capture is not None
        assert capture.stat().st_mode & 0o077 == 0
        assert b"5ec3e7" not in capture.read_bytes()
        fields = ("-e", "sip.Method", "-e", "sip.Status-Code", "-e", "udp.checksum.status", "-e", "_ws.expert.severity")
        tshark = shutil.which("tshark")
        assert tshark, "install Debian's package tshark"
        shown = await asyncio.to_thread(
            subprocess.run,
            [
                tshark,
                "-r",
                str(capture),
                "-d",
                f"udp.port=={port},sip",
                "-T",
                "fields",
                *fields,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        rows = [line.split("\t") for line in shown.stdout.splitlines()]
        assert [row[0] for row in rows if row[0]] == ["INVITE", "ACK", "BYE"]
        assert "200" in {row[1] for row in rows}


def test_a_row_is_its_own_line() -> None:
    row = Row(1.5, Way.OUT, "agent 1", "200 OK", "INVITE (application/sdp)", "udp!192.0.2.1!5060")
    assert Row.parse(row.line()) == row
    for broken in (
        b"",
        b"{",
        b'{"at": 1}',
        b'{"at": "x", "way": "in", "what": "y"}',
        b'{"at":1,"way":"up","what":"y"}',
        b"[]",
    ):
        assert Row.parse(broken) is None


def test_what_came_before_the_call_had_its_leg_is_kept_with_it() -> None:
    kept_rows: list[tuple[str, Row]] = []
    ladder = Ladder(lambda: 1.0, lambda name, row, _seen: kept_rows.append((name, row)))
    request = invite(Call_ID="a@b")
    ladder.meet("a@b", "caller")
    ladder.saw(request, FLOW, Way.IN)
    ladder.saw(respond(request, 100), FLOW, Way.OUT)
    assert kept_rows == []
    ladder.named("call-1")
    ladder.note("joined")
    assert [(name, row.what, row.peer) for name, row in kept_rows] == [
        ("call-1", "INVITE", "caller"),
        ("call-1", "100 Trying", "caller"),
        ("call-1", "joined", ""),
    ]


def test_a_call_that_never_ends_is_bounded() -> None:
    count = 0

    def keep(*_: object) -> None:
        nonlocal count
        count += 1

    ladder = Ladder(lambda: 1.0, keep)
    ladder.named("x")
    for _ in range(3 * ROWS):
        ladder.note("again")
    assert count == ROWS


async def test_old_days_go_and_names_lead_nowhere_else(tmp_path: Path, eventually: Eventually) -> None:
    folder = tmp_path / "calls"
    old = folder / f"{datetime.now(UTC) - timedelta(days=9):%Y-%m-%d}"
    old.mkdir(parents=True)
    (old / "call-old.jsonl").write_bytes(b"")
    (tmp_path / "secret.jsonl").write_text("{}")
    async with Ladders(folder, days=7, captures=False) as ladders:
        await eventually(lambda: not old.exists())
        one = ladders.begin()
        one.named("call-new")
        one.note("joined")
    assert recent(folder, 5) == ["call-new"]
    for name in ("../secret", "..", "*", "", "call-new/../../x", "a" * 99):
        assert read_ladder(folder, name) is None
    async with Ladders(tmp_path / "none", days=0, captures=True) as ladders:
        one = ladders.begin()
        one.named("call-none")
        one.note("joined")
    assert not (tmp_path / "none").exists()


async def test_a_disk_that_was_too_slow_leaves_a_gap_and_no_more(
    tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.phone.ladders._WAITING", 4)
    async with Ladders(tmp_path, days=1, captures=False) as ladders:

        async def rows_kept(name: str, noted: int) -> int:
            ladder = ladders.begin()
            ladder.named(name)
            for _ in range(noted):
                ladder.note("joined")
            rows = await eventually(lambda: read_ladder(tmp_path, name), deadline_s=10)
            return len(rows or ())

        assert await rows_kept("call-1", 9) == 4
        assert await rows_kept("call-2", 3) == 3


async def test_a_disk_that_fails_harms_no_call(
    open_phone: OpenPhone, core: Core, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "calls"
    blocked.write_text("a file where the folder should be")
    async with open_phone(ladders=blocked) as phone, Telephone(phone.bound) as caller:
        call = await caller.call()
        assert call.answer.status == 200
        call.bye()
        await caller.response("BYE")
    assert "ladders of calls cannot be written" in caplog.text


async def test_agent_who_declines_is_a_rung(
    core: Core, open_phone: OpenPhone, eventually: Eventually, tmp_path: Path
) -> None:
    folder = tmp_path / "calls"
    async with (
        open_phone(ladders=folder) as one,
        Telephone(one.bound) as caller,
        Telephone(one.bound, user="8001") as device,
    ):
        await device.register(PASSWORD)
        call = await caller.call()
        leg = core.contacts[0].leg
        await one.ring(SessionId("s"), leg, AssigneeId("a8001"), 1, time.time() + 20)
        device.reply(await device.request("INVITE"), 486)
        await eventually(lambda: core.declined)
        call.bye()
        await caller.response("BYE")
        await eventually(lambda: any(row.what == "486 Whatever" for row in kept(folder, core)), deadline_s=10)


def test_keys_of_sound_are_not_captured() -> None:
    flow = Flow(Protocol3261.UDP, ("192.0.2.1", 5060))
    told = b"INVITE sip:a SIP/2.0\r\n\r\na=crypto:1 AES inline:5ec3e7\r\na=ice-pwd:5ec3e7\r\na=sendrecv\r\n"
    kept = packet(0.0, flow, ("192.0.2.2", 5060), told, is_ours=True)
    assert b"5ec3e7" not in kept
    assert b"(not kept)\r\na=sendrecv\r\n" in kept
