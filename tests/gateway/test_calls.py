"""`yihao calls`, and the same over HTTP, from files as a call leaves them."""

import json
from pathlib import Path

import pytest

from channels.phone.ladder import Row, Way
from config.loading import load
from config.settings import Settings
from gateway import calls
from gateway.calls import CallUnknown, CaptureAbsent
from gateway.cli import main
from gateway.doctor import Grade, examine
from tests.conftest import Eventually
from tests.gateway.living import living
from tests.peers.caller import Telephones

ROWS = (
    Row(1795910400.0, Way.IN, "caller", "INVITE", "(application/sdp)", "udp!192.0.2.1!5060"),
    Row(1795910400.001, Way.OUT, "caller", "100 Trying", "INVITE", "udp!192.0.2.1!5060"),
    Row(1795910400.02, Way.NOTE, "", "session", "01SESSION"),
    Row(1795910403.5, Way.OUT, "agent 1", "INVITE", "(application/sdp)", "tcp!192.0.2.9!40000"),
    Row(1795910405.0, Way.NOTE, "", "joined"),
    Row(1795910465.0, Way.IN, "caller", "BYE", 'SIP;cause=16;text="正常"'),
    Row(1795910465.0, Way.NOTE, "", "over", "the caller hung up"),
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = load(arguments=[f"data={tmp_path}"], environment={})
    day = calls.folder(made) / "2026-11-29"
    day.mkdir(parents=True)
    (day / "call-1.jsonl").write_bytes(b"".join(row.line() for row in ROWS) + b'{"at": 17959')
    (day / "call-2.jsonl").write_bytes(ROWS[0].line())
    (day / "call-2.pcap").write_bytes(b"packets")
    return made


def test_a_ladder_is_read_like_one(settings: Settings) -> None:
    drawn = calls.shown(settings, "call-1")
    assert drawn.startswith("call-1  2026-11-29 00:00:00Z  the caller hung up\n")
    lines = drawn.splitlines()
    assert lines[2].split() == ["yihao", "caller", "agent", "1"]
    assert "◀" in lines[3]
    assert "INVITE" in lines[3]
    assert lines[3].lstrip().startswith("0.000")
    assert "100 Trying" in lines[4]
    assert "▶" in lines[4]
    assert lines[6].index("▶") > lines[4].index("▶"), "the agent stands to the right of the caller"
    assert "* joined" in lines[7]


def test_a_session_shows_its_calls(settings: Settings) -> None:
    assert calls.shown(settings, "01SESSION").startswith("call-1")
    for unknown in ("01SESS", "", "nobody", "../../secrets"):
        with pytest.raises(CallUnknown):
            calls.shown(settings, unknown)


def test_the_list_and_the_capture(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calls", "list", "--data", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert "call-1  the caller hung up" in listed
    assert "call-2  runs, or its node was cut off" in listed
    target = tmp_path / "out.pcap"
    assert main(["calls", "capture", "call-2", str(target), "--data", str(tmp_path)]) == 0
    assert target.read_bytes() == b"packets"
    assert main(["calls", "capture", "call-1", str(target), "--data", str(tmp_path)]) == 1
    assert "was not captured" in capsys.readouterr().err
    with pytest.raises(CaptureAbsent):
        calls.save_capture(settings, "call-1", target)


def test_the_doctor_warns_of_captures(tmp_path: Path) -> None:
    settings = load(arguments=[f"data={tmp_path}", "sip.captures=true"], environment={})
    assert Grade.WARNING in [one.grade for one in examine(settings) if "numbers and names" in one.what]


async def test_over_http_by_who_may(valkey_url: str, tmp_path: Path, eventually: Eventually) -> None:
    async with (
        living(valkey_url, tmp_path) as town,
        town.desk("8001") as agent,
        town.desk("8004") as supervisor,
        Telephones((town.house.sip.host, town.house.sip.port)) as telephones,
    ):
        call = await telephones.call()
        await call.answered(5.0)
        await call.hang_up()

        async def get(page: object, path: str) -> tuple[int, str]:
            async with page.http.get(f"{town.http}{path}") as answer:  # type: ignore[attr-defined]  # a desk's page
                return answer.status, await answer.text()

        async def is_over() -> str:
            _, text = await get(supervisor, "/api/calls")
            names = json.loads(text)["calls"]
            if not names:
                return ""
            _, drawn = await get(supervisor, f"/api/calls/{names[0]}/ladder.txt")
            return names[0] if "the caller hung up" in drawn else ""

        name = await eventually(is_over, deadline_s=10)
        status, text = await get(supervisor, f"/api/calls/{name}")
        assert status == 200
        assert '"what": "INVITE"' in text
        assert (await get(agent, f"/api/calls/{name}"))[0] == 403
        assert (await get(supervisor, f"/api/calls/{name}/capture.pcap"))[0] == 403
        assert (await get(supervisor, "/api/calls/nobody"))[0] == 404
        session = next(row["detail"] for row in json.loads(text)["rows"] if row["what"] == "session")
        _, text = await get(supervisor, f"/api/calls?session={session}")
        assert json.loads(text) == {"calls": [{"call": name, "captured": False}]}
        assert (await get(agent, f"/api/calls?session={session}"))[0] == 403
