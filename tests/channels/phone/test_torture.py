"""Torture messages on the real sockets, without authentication, the flood guard on: each from an address of its own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.websocket import PATH
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.pages import web_server
from tests.channels.phone.sip.corpus import corpus
from tests.channels.phone.sip.messages import SAMPLES, request

QUIET_S = 0.25


@dataclass(frozen=True)
class Case:
    name: str
    wire: bytes
    answers: tuple[int, ...]
    host: str


def cases() -> list[Case]:
    found = [(f"{one.section} {one.name}", one.wire, one.answers) for one in SAMPLES]
    found += [(one.name, one.wire, one.answers) for one in corpus() if one.is_asserted]
    return [
        Case(name, wire, answers, f"127.7.{number // 250}.{number % 250 + 1}")
        for number, (name, wire, answers) in enumerate(found)
    ]


CASES = cases()


@pytest.fixture
async def open_house(open_phone: OpenPhone) -> AsyncIterator[PhoneChannel]:
    async with open_phone(trunks=(), authenticate=False) as opened:
        yield opened


def allowed(answers: tuple[int, ...]) -> set[int]:
    """What may come for a message that is to be read and handed on (100): success, or a refusal of its content."""
    extra = {200, 401, 481, 488, 404, 406} if 100 in answers else set()
    return {*answers, *extra} - {100}


async def test_every_message_over_udp(open_house: PhoneChannel) -> None:
    got = await asyncio.gather(*(_ask_udp(case, open_house.bound) for case in CASES))
    wrong = [(case.name, status) for case, status in zip(CASES, got, strict=True) if not _fits(case, status)]
    assert wrong == []


@pytest.mark.parametrize("part", range(4))
async def test_every_message_over_tcp_cut_in_two(open_house: PhoneChannel, part: int) -> None:
    # Every byte as the cut is the framing's own test; here the sockets get a cut in each quarter.
    got = await asyncio.gather(*(_ask_tcp(case, open_house.bound, part) for case in CASES))
    wrong = [(case.name, status) for case, status in zip(CASES, got, strict=True) if not _fits_tcp(case, status)]
    assert wrong == []


async def test_every_message_over_websocket(open_house: PhoneChannel) -> None:
    """One message a frame (RFC 7118): text where it is UTF-8, as pages send it, else binary. Nothing is waited for."""
    async with web_server(open_house) as http:
        # Few at once: a socket costs the web server more than a datagram.
        got = [
            status
            for at in range(0, len(CASES), 20)
            for status in await asyncio.gather(*(_ask_page(case, http) for case in CASES[at : at + 20]))
        ]
    wrong = [(case.name, status) for case, status in zip(CASES, got, strict=True) if not _fits(case, status)]
    assert wrong == []


async def test_every_byte_of_one_message_on_its_own(open_house: PhoneChannel) -> None:
    reader, writer = await asyncio.open_connection(*open_house.bound, local_addr=("127.8.0.1", 0))
    for octet in request(Via="SIP/2.0/TCP probe.example;branch=z9hG4bKb"):
        writer.write(bytes([octet]))
        await writer.drain()
    assert (await reader.readline()).startswith(b"SIP/2.0 200")
    writer.close()


def _fits(case: Case, status: int | None) -> bool:
    return status is None if not case.answers else status in allowed(case.answers)


def _fits_tcp(case: Case, status: int | None) -> bool:
    """On a stream, a body that never comes and a message that never ends are waited for."""
    return _fits(case, status) or (_is_waited_for(case) and status is None) or (status == 400 and "2543" in case.name)


def _is_waited_for(case: Case) -> bool:
    return case.name.startswith(("4475-3.1.2.2 ", "clerr", "4475-3.1.2.15b", "baddn"))


async def _ask_udp(case: Case, server: tuple[str, int]) -> int | None:
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    class Socket(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            answers.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Socket, local_addr=(case.host, 0))
    try:
        transport.sendto(case.wire, server)
        return await _final(answers, 5.0 if case.answers else QUIET_S)
    finally:
        transport.close()


async def _ask_tcp(case: Case, server: tuple[str, int], part: int) -> int | None:
    host = case.host.replace("127.7.", f"127.{20 + part}.")
    reader, writer = await asyncio.open_connection(*server, local_addr=(host, 0))
    answers: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen() -> None:
        while line := await reader.readline():
            if line.startswith(b"SIP/2.0"):
                answers.put_nowait(line)

    listening = asyncio.create_task(listen())
    try:
        cut = len(case.wire) * (2 * part + 1) // 8
        writer.write(case.wire[:cut])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(case.wire[cut:])
        return await _final(answers, 5.0 if case.answers and not _is_waited_for(case) else QUIET_S)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        writer.close()


async def _ask_page(case: Case, http: str) -> int | None:
    """As a telephone that is a page, at an address of its own."""
    connector = aiohttp.TCPConnector(local_addr=(case.host.replace("127.7.", "127.30."), 0))
    answers: asyncio.Queue[bytes] = asyncio.Queue()
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect(http + PATH, protocols=("sip",), origin=http) as wire,
    ):

        async def listen() -> None:
            async for message in wire:
                answers.put_nowait(message.data.encode() if isinstance(message.data, str) else message.data)

        listening = asyncio.create_task(listen())
        try:
            try:
                await wire.send_str(case.wire.decode())
            except UnicodeDecodeError:
                await wire.send_bytes(case.wire)
            return await _final(answers, 5.0 if case.answers else QUIET_S)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _final(answers: asyncio.Queue[bytes], within_s: float) -> int | None:
    """The first final status, or None when nothing came."""
    try:
        async with asyncio.timeout(within_s):
            while (status := int((await answers.get()).split(b" ")[1])) < 200:
                pass
            return status
    except TimeoutError:
        return None
