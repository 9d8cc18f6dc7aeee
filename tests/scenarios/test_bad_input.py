"""What comes wrong, or with ill will, gets a clear refusal, and nobody else is harmed by it."""

import asyncio
import io
import json
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.channels.phone.sip.corpus import corpus
from tests.channels.phone.sip.messages import SAMPLES
from tests.conftest import Eventually
from tests.peers.caller import Message, Telephones
from tests.peers.pages import OWN_PAGE, CitizenPage, DeskPage, Refused
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import SHORT_WAITS, running
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensChat, OpensDesk

SILENCE_S = 0.4
FLOOD = 20_000
"""Packets a second."""
MALFORMED, AUTH = 4000, 4003
"""Close codes of the socket protocol."""


class Stranger(asyncio.DatagramProtocol):
    """A datagram socket on an address of its own."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Message] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait(Message.parse(data))


async def ask(server: tuple[str, int], host: str, wire: bytes, deadline_s: float) -> int | None:
    """The final status of what is answered to this datagram; None for silence."""
    loop = asyncio.get_running_loop()
    transport, stranger = await loop.create_datagram_endpoint(Stranger, local_addr=(host, 0))
    try:
        transport.sendto(wire, server)
        async with asyncio.timeout(deadline_s):
            while (answer := await stranger.answers.get()).status < 200:
                pass
            return answer.status
    except TimeoutError:
        return None
    finally:
        transport.close()


def fits(answers: tuple[int, ...], status: int | None) -> bool:
    """The class of the answer: silence, a refusal of the message itself, or one read and judged by its content."""
    if not answers:
        return status is None
    if 100 in answers or 401 in answers:
        return status is not None and (status < 300 or status in {401, 403, 404, 405, 406, 415, 481, 488, *answers})
    return status is not None and (status in answers or status in {400, 401})


async def test_torture_messages_against_the_running_gateway(gateway: Yihao, telephones: Telephones) -> None:
    cases = [(f"{one.section} {one.name}", one.wire, one.answers) for one in SAMPLES]
    cases += [(one.name, one.wire, one.answers) for one in corpus() if one.is_asserted]
    asked = (
        ask(gateway.sip, f"127.1.{number // 250}.{number % 250 + 1}", wire, 5.0 if answers else SILENCE_S)
        for number, (_, wire, answers) in enumerate(cases)
    )
    got = await asyncio.gather(*asked)
    wrong = [(name, status) for (name, _, answers), status in zip(cases, got, strict=True) if not fits(answers, status)]
    assert wrong == []
    call = await telephones.call()
    await call.answered()
    await call.hang_up()


@pytest.fixture(scope="module")
def guarded() -> Iterator[Yihao]:
    """A gateway whose trunk is 127.0.0.1 alone: all other loopback addresses are strangers to it."""
    yield from running({**SHORT_WAITS, "sip.trunks": "127.0.0.1/32"})


async def flooded(server: tuple[str, int], seconds: float) -> dict[str, float]:
    """By a process of its own, as fast as was asked for; what it says at its end."""
    wire = next(one.wire for one in SAMPLES if one.answers == (100,))
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.peers.flood", server[0], str(server[1]), "127.2.0.1", str(FLOOD), str(seconds)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await asyncio.wait_for(program.communicate(wire), seconds + 60)
    return dict(json.loads(said))


PACE_S = 0.1
"""Between a line's calls: four stay far below the hundred new calls a second over which 503 is said."""


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_a_flood_from_one_address_harms_nobody_else(
    guarded: Yihao, long_run: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Callers come one after the other on four lines; of theirs all but one in a thousand are served."""
    seconds = 60.0 if long_run else 2.0
    calls: Counter[str] = Counter()

    async def line(phones: Telephones, flood: asyncio.Task[dict[str, float]], number: int) -> None:
        made = 0
        while made < 3 or not flood.done():
            made += 1
            await asyncio.sleep(PACE_S)
            call = await phones.call(caller=f"138{number}{made:07}")
            try:
                await call.answered(40.0)  # an INVITE that the wire has lost is sent again for 32 s
            except (TimeoutError, AssertionError):
                calls[call.over or "silence"] += 1
                await call.leave()
            else:
                calls["served" if await call.hang_up() == 200 else "bye"] += 1

    async with Telephones(guarded.sip) as phones:
        flood = asyncio.create_task(flooded(guarded.sip, seconds))
        await asyncio.gather(*(line(phones, flood, number) for number in range(4)))
    found = await flood
    if long_run:
        with capsys.disabled():
            sys.stdout.write(f"\n{found['rate']} packets/s for {seconds:.0f} s; calls: {dict(calls)}\n")
    assert found["answered"] <= 64, "the flood was answered"
    assert calls.total() - calls["served"] <= calls.total() // 1000, calls


async def test_a_stranger_cannot_call(guarded: Yihao) -> None:
    async with Telephones(guarded.sip, "127.2.0.2") as phones:
        for number in ("12345", "8001", "99999"):
            assert await (await phones.call(number)).ended() in {"401", "403"}


SCANS = (
    ("svmap", "127.2.0.71"),
    ("svwar", "127.2.0.72", "-e", "8000-8010", "-m", "REGISTER"),
    ("svwar", "127.2.0.73", "-e", "8000-8010", "-m", "INVITE"),
    ("svcrack", "127.2.0.74", "-u", "8001", "-r", "1-100"),
)


async def test_sipvicious_finds_nothing_and_is_banned(guarded: Yihao) -> None:
    """From loopback to loopback, and without its switches that write to its author or scan the world."""
    server, port = guarded.sip

    async def scan(tool: str, host: str, *arguments: str) -> str:
        program = Path(sys.executable).with_name(f"sipvicious_{tool}")
        child = await asyncio.create_subprocess_exec(
            *(str(program), "-p", str(port), "-b", host, *arguments, server),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(45):
            said, _ = await child.communicate()
        return said.decode(errors="replace")

    for (tool, *_), said in zip(SCANS, await asyncio.gather(*(scan(*one) for one in SCANS)), strict=True):
        assert "found nothing" in said, f"{tool}: {said}"
    # And it is banned: under an honest name it is not heard either, where others are. But for `svmap` its tools go out
    # from 127.0.0.1, whatever they are told, and a trunk is banned by no word that anybody may write.
    wire = next(one.wire for one in SAMPLES if one.answers == (100,))
    assert await ask(guarded.sip, SCANS[0][1], wire, SILENCE_S) is None
    assert await ask(guarded.sip, "127.2.0.77", wire, 5.0) is not None


async def test_who_scans_under_another_name_is_banned(guarded: Yihao) -> None:
    """What finds no answer by its name is not heard after 32 messages either, nor is it told so."""
    wire = next(one.wire for one in SAMPLES if one.answers == (100,))
    answers: list[int | None] = []
    while len(answers) < 60 and answers[-2:] != [None, None]:
        answers.append(await ask(guarded.sip, "127.2.0.75", wire, 1.0))
    assert answers[-2:] == [None, None]
    assert await ask(guarded.sip, "127.2.0.76", wire, 5.0) is not None


async def test_nobody_learns_which_names_exist(gateway: Yihao) -> None:
    """Neither by the answer nor by how long it takes."""
    took: dict[str, list[float]] = {"8001": [], "nobody-of-that-name": []}
    for _ in range(4):  # a fifth guess would have to wait
        for name, times in took.items():
            began = asyncio.get_running_loop().time()
            with pytest.raises(Refused, match="wrong_password"):
                async with DeskPage(name, "wrong", gateway.http):
                    pass
            times.append(asyncio.get_running_loop().time() - began)
    known, unknown = (min(times) for times in took.values())
    assert unknown == pytest.approx(known, rel=1.0), "the time tells"


async def test_guessing_is_slowed_down(own_gateway: MakesGateway) -> None:
    gateway = own_gateway()
    await gateway.start()
    codes = []
    for _ in range(12):
        with pytest.raises(Refused) as refused:
            async with DeskPage("8001", "wrong", gateway.http):
                pass
        codes.append(refused.value.code)
        if codes[-1] != "wrong_password":
            break
    assert codes[-1] == "too_many_attempts"


async def test_a_softphone_with_a_wrong_password(gateway: Yihao, softphone: MakesSoftphone) -> None:
    with pytest.raises(AssertionError, match="REGISTER_FAIL"):
        await softphone(gateway, "8001", password=secrets.token_hex(8))


@pytest.mark.parametrize("path", ["/api/webchat/socket", "/api/desk/socket"])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_a_socket_from_a_foreign_page(gateway: Yihao, path: str, origin: str | None) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(f"ws{gateway.http.removeprefix('http')}{path}", origin=origin)
    assert refused.value.status == 403


async def test_a_form_from_a_foreign_page(gateway: Yihao) -> None:
    agent = gateway.agent("8001")
    given = {"login": agent.login, "password": agent.password}
    async with aiohttp.ClientSession() as http:
        for headers in ({}, {**OWN_PAGE, "Origin": "https://evil.example"}):
            async with http.post(f"{gateway.http}/api/login", json=given, headers=headers) as answer:
                assert answer.status == 403


async def test_what_needs_a_login(gateway: Yihao) -> None:
    async with aiohttp.ClientSession() as http:
        for path in ("/api/me", "/api/recordings/any", "/api/sessions/any/timeline", "/api/desk/files/any"):
            async with http.get(f"{gateway.http}{path}") as answer:
                assert answer.status == 401, path


async def test_a_resume_with_anothers_token(gateway: Yihao, citizen: OpensChat, eventually: Eventually) -> None:
    owner, thief = await citizen(gateway), await citizen(gateway)
    await owner.write("这是我的秘密")
    thief.stay_away()
    thief._resume, thief._last = owner._resume, 0
    thief.come_back()
    await eventually(lambda: AUTH in thief.close_codes)
    await thief.open()  # without the token, as themselves
    assert thief.texts() == []
    assert owner.closed_with is None
    await owner.write("还在")
    await owner.command("session.end")


async def test_a_visitor_that_we_never_named(gateway: Yihao) -> None:
    async with CitizenPage(gateway.http) as page:
        await page.open()
        real = page.visitor
        asked = {"visitor": secrets.token_hex(16)}
        headers = {**OWN_PAGE, "Origin": gateway.http}
        async with page.http.post(f"{gateway.http}/api/webchat/visitor", json=asked, headers=headers) as answer:
            given = (await answer.json()).get("visitor")
        assert given not in {asked["visitor"], real}


async def test_a_file_that_is_not_what_it_says(gateway: Yihao, citizen: OpensChat) -> None:
    page = await citizen(gateway)
    assert page.visitor is not None
    headers = {**OWN_PAGE, "Origin": gateway.http, "X-Visitor": page.visitor, "X-Filename": "photo.png"}

    async def upload(data: bytes, content_type: str) -> int:
        typed = {**headers, "Content-Type": content_type}
        async with page.http.post(f"{gateway.http}/api/webchat/files", data=io.BytesIO(data), headers=typed) as answer:
            return answer.status

    assert await upload(b"<script>alert(1)</script>", "image/png") in {400, 415}
    assert await upload(b"MZ\x90\0" + bytes(1000), "image/png") in {400, 415}
    assert await upload(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml") in {400, 415}
    assert await upload(b"\x89PNG\r\n\x1a\n" + bytes(11 * 1024 * 1024), "image/png") == 413
    await page.write("还能写")
    await page.command("session.end")


async def test_a_frame_that_is_none(gateway: Yihao, citizen: OpensChat, eventually: Eventually) -> None:
    page, other = await citizen(gateway), await citizen(gateway)
    assert page._socket is not None
    await page._socket.send_str("not json")
    await eventually(lambda: page.closed_with)
    assert page.closed_with == MALFORMED
    await other.write("我没有受影响")
    await other.command("session.end")


async def test_a_session_that_is_not_ones_own(gateway: Yihao, citizen: OpensChat, desk: OpensDesk) -> None:
    page = await citizen(gateway)
    await page.write("请帮我查一下")
    agent, other = await desk(gateway, "8001"), await desk(gateway, "8002")
    await agent.make_ready()
    offer = await agent.offer()
    with pytest.raises(Refused):
        await other.accept(offer)
    with pytest.raises(Refused):
        await other.command("msg.send", session=offer["session"], text="冒充")
    await agent.accept(offer)
    with pytest.raises(Refused):
        await other.accept(offer)
    await agent.accept(offer)  # the same agent and token again: it is theirs already
    await agent.command("contact.finish", session=offer["session"])
    await agent.command("presence.set", presence="off", reason="off_duty")


@pytest.mark.parametrize(
    ("setting", "named"), [("sip.prot=5060", "sip.prot"), ("sip.port=many", "sip.port"), ("media.port=1", "media.port")]
)
def test_a_setting_that_is_none(tmp_path: Path, setting: str, named: str) -> None:
    program = Path(sys.executable).with_name("yihao")
    started = subprocess.run(
        [str(program), "up", "--data", str(tmp_path / "data"), "--set", setting],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert started.returncode == 1
    assert named in started.stderr
    assert "Traceback" not in started.stderr
