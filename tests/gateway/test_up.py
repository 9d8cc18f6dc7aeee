"""`yihao up` as an operator runs it: it says when it serves, drains when it is told to end, and keeps secrets."""

import asyncio
import json
import signal
import socket
import stat
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import Eventually
from tests.peers.pages import CitizenPage, DeskPage, Refused
from tests.peers.valkey import ValkeyServer
from tests.peers.yihao import COMMAND, Yihao

CANARIES = ("王小明", "13800138000", "路灯坏了", "canary-password", "canary-login")


async def test_a_whole_life(short_folder: Path, eventually: Eventually) -> None:
    """Ready, without its store and with it again, drained; and nothing personal in what it said meanwhile."""
    server = ValkeyServer(short_folder)
    await asyncio.to_thread(server.start)
    try:
        sets = {"store.url": server.url, "log.level": "debug", "log.format": "json", "drain.bound_s": "5"}
        async with Yihao(short_folder / "data", sets, program=COMMAND) as yihao, aiohttp.ClientSession() as http:
            ready = yihao.ready
            assert ready["ready"] is True
            assert ready["number"] == "12345"
            assert ready["http"].startswith("http://127.0.0.1:")
            assert ready["sip_udp"] == ready["sip_tcp"]
            credentials = Path(ready["credentials"])
            assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
            secrets = [secret for one in yihao.agents() for secret in (one.password, one.sip_password)]
            assert [one.login for one in yihao.agents()] == ["8001", "8002", "8003", "8004", "8009"]

            await _people_come(yihao)
            assert await _readiness(http, yihao) == 200
            await asyncio.to_thread(server.kill)
            assert await _readiness(http, yihao) == 503
            await asyncio.to_thread(server.start)

            async def serves() -> bool:
                return await _readiness(http, yihao) == 200

            await eventually(serves)
            yihao.signal(signal.SIGTERM)
            assert await yihao.ended() == 0
            said = (yihao.data / "said.txt").read_text()
    finally:
        await asyncio.to_thread(server.stop)
    for canary in (*CANARIES, *secrets):
        assert canary not in said
        assert json.dumps(canary)[1:-1] not in said
    assert "draining" in said
    for line in said.splitlines():
        assert isinstance(json.loads(line), dict), "a line is an object, also the ready line and the last one"


async def _people_come(yihao: Yihao) -> None:
    """A citizen, an agent, somebody who guesses, and a caller with a name."""
    one = yihao.agent("8001")
    async with CitizenPage(yihao.http) as visitor, DeskPage(one.login, one.password, yihao.http) as desk:
        await asyncio.gather(visitor.open(), desk.open())
        await desk.make_ready()
        await visitor.write("我叫王小明，电话13800138000，路灯坏了")
        offer = await desk.offer()
        await desk.accept(offer)
        await desk.command("msg.send", session=offer["session"], text="王小明您好，路灯坏了？")
        await desk.command("note.add", session=offer["session"], text="王小明 13800138000")
    stranger = DeskPage("canary-login", "canary-password", yihao.http)
    with pytest.raises(Refused):
        await stranger.__aenter__()
    await stranger.http.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as telephone:
        telephone.sendto(
            b'INVITE sip:13800138000@hotline SIP/2.0\r\nFrom: "\xe7\x8e\x8b\xe5\xb0\x8f\xe6\x98\x8e" '
            b"<sip:13800138000@x>\r\nContact: \x00\r\nVia: SIP/2.0/UDP 13800138000;;\r\n\r\n",
            yihao.sip,
        )


async def _readiness(http: aiohttp.ClientSession, yihao: Yihao) -> int:
    async with http.get(f"{yihao.http}/readyz") as answer:
        return answer.status


async def test_it_brings_its_own_store(short_folder: Path) -> None:
    """And ends it: the second start finds the first one's agents, and the same passwords."""
    passwords = []
    for _ in range(2):
        async with Yihao(short_folder / "data") as yihao:
            passwords.append([one.password for one in yihao.agents()])
            yihao.signal(signal.SIGINT)
            assert await yihao.ended() == 0
    assert passwords[0] == passwords[1]
    assert not [path for path in (short_folder / "data").rglob("*") if path.is_socket()], "no store is left running"


@pytest.mark.parametrize(("section", "kind"), [("http", socket.SOCK_STREAM), ("sip", socket.SOCK_DGRAM)])
async def test_an_address_that_is_taken_is_named(short_folder: Path, section: str, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RuntimeError) as ended:
            await Yihao(short_folder / "data", {f"{section}.port": str(port)}).start()
    said = str(ended.value)
    assert "exited with 1" in said
    assert f"cannot listen on 127.0.0.1:{port}" in said
    assert f"{section}.port" in said
    assert "Traceback" not in said
