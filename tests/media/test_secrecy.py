"""Calls that nobody on the way can hear: keys beside the description, and pages."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from media import keying, sdp
from media.dtls import Handshakes
from media.engine import Engine, Limits
from media.errors import AudioRefused
from media.ice import IceLite
from session.audio import Secrecy, Slot
from tests.media.phone import Phone, likeness, speech
from tests.media.secret_phone import SUITES, KeyedPhone, PagePhone, forged_check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from media.call import Call
    from media.prompts import PromptLibrary
    from tests.conftest import Eventually

CITIZEN, AGENT = Slot.CITIZEN, Slot.AGENT


@pytest.fixture
async def engine(prompts: PromptLibrary) -> AsyncIterator[Engine]:
    async with Engine(prompts, limits=Limits(handshakes=2)) as engine:
        yield engine


@pytest.fixture
async def call(engine: Engine) -> Call:
    return await engine.open("call-1")


async def talk(call: Call, citizen: Phone, agent: Phone, seconds: float = 0.6) -> None:
    await call.join()
    asked, told = speech(seconds, 1), speech(seconds, 2)
    await asyncio.gather(citizen.say(asked), agent.say(told))
    await asyncio.sleep(0.05)
    assert likeness(asked, agent.heard())[0] > 0.9
    assert likeness(told, citizen.heard())[0] > 0.9


@pytest.mark.parametrize("suite", SUITES)
async def test_a_keyed_phone_and_a_plain_one_talk(call: Call, suite: str) -> None:
    async with KeyedPhone(suite) as citizen, Phone() as agent:
        citizen.take(await call.answer(CITIZEN, citizen.keyed_sdp(), Secrecy.OFFER))
        agent.take(await call.offer(AGENT, Secrecy.OFFER))
        await call.accept(AGENT, agent.sdp())
        await talk(call, citizen, agent)
        assert citizen.strangers == 0
        assert all(packet[12:][:160] not in {one.payload for one in citizen.arrived} for packet in citizen.wire)


async def test_our_offer_is_answered_with_keys_and_renewed(call: Call) -> None:
    async with Phone() as citizen, KeyedPhone("AES_CM_128_HMAC_SHA1_32") as agent:
        citizen.take(await call.answer(CITIZEN, citizen.sdp()))
        offer = await call.offer(AGENT, Secrecy.REQUIRE)
        assert b"RTP/SAVP" in offer
        agent.take(offer)
        # The answer has the tag of the line that it took (RFC 4568, section 5.1.2).
        await call.accept(AGENT, agent.keyed_sdp().replace(b"crypto:7", b"crypto:2"))
        await talk(call, citizen, agent)
        agent.key = bytes(reversed(agent.key))
        agent.take(await call.answer(AGENT, agent.keyed_sdp()))
        agent.arrived.clear()
        citizen.arrived.clear()
        await talk(call, citizen, agent)


async def test_who_must_be_secret_is_not_served_in_the_clear(call: Call) -> None:
    async with KeyedPhone() as keyed, Phone() as plain:
        with pytest.raises(AudioRefused):
            await call.answer(CITIZEN, plain.sdp(), Secrecy.REQUIRE)
        with pytest.raises(AudioRefused):
            await call.answer(CITIZEN, keyed.keyed_sdp(), Secrecy.NEVER)
        with pytest.raises(AudioRefused):
            await call.answer(CITIZEN, keyed.sdp().replace(b"RTP/AVP", b"RTP/SAVP"), Secrecy.OFFER)
        await call.offer(AGENT, Secrecy.REQUIRE)
        with pytest.raises(AudioRefused):
            await call.accept(AGENT, plain.sdp())
        answer = await call.answer(CITIZEN, keyed.keyed_sdp("RTP/AVP"), Secrecy.NEVER)
        assert b"crypto" not in answer


async def test_what_is_not_under_the_key_is_not_heard(call: Call, eventually: Eventually) -> None:
    async with KeyedPhone() as citizen, Phone() as agent, Phone() as stranger:
        citizen.take(await call.answer(CITIZEN, citizen.keyed_sdp(), Secrecy.REQUIRE))
        agent.take(await call.offer(AGENT))
        await call.accept(AGENT, agent.sdp())
        await call.join()
        stranger.target = citizen.target
        await stranger.say(speech(0.2, 3))
        await citizen.say(speech(0.2, 4))

        async def heard() -> bool:
            return (await call.stats(CITIZEN)).packets_received == 10

        await eventually(heard)


async def test_a_page_calls_and_is_called(call: Call) -> None:
    async with PagePhone() as citizen, PagePhone() as agent:
        answer = await call.answer(CITIZEN, citizen.page_sdp("actpass"))
        assert b"a=setup:passive" in answer
        assert b"a=ice-lite" in answer
        assert b"a=group:BUNDLE audio0" in answer
        citizen.take(answer)
        agent.take(await call.offer(AGENT, Secrecy.PAGE))
        await call.accept(AGENT, agent.page_sdp("active"))
        async with asyncio.timeout(15):
            await asyncio.gather(citizen.connected.wait(), agent.connected.wait())
        await talk(call, citizen, agent)
        # A description anew, as hold brings it, leaves ways and keys as they are.
        await call.answer(CITIZEN, citizen.page_sdp("actpass"))
        citizen.arrived.clear()
        agent.arrived.clear()
        await talk(call, citizen, agent)


async def test_a_page_with_another_certificate_than_it_said_is_not_heard(call: Call, eventually: Eventually) -> None:
    async with PagePhone() as page:
        page.shown = ":".join(["AB"] * 32)
        page.take(await call.answer(CITIZEN, page.page_sdp("actpass")))
        async with asyncio.timeout(15):
            await page.connected.wait()
        page.send(bytes(160))
        page.check()
        await eventually(lambda: page.checked > 1, deadline_s=15)
        assert (await call.stats(CITIZEN)).packets_received == 0
        assert not page.arrived


async def test_a_page_moves_to_another_address(call: Call, eventually: Eventually) -> None:
    """From the office network to a telephone's: the page checks from there, and goes on."""
    async with PagePhone() as page, Phone() as agent:
        page.take(await call.answer(CITIZEN, page.page_sdp("actpass")))
        agent.take(await call.offer(AGENT))
        await call.accept(AGENT, agent.sdp())
        async with asyncio.timeout(15):
            await page.connected.wait()
        await call.join()
        before = page.transport
        page.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: page, local_addr=(page.host, 0)
        )
        before.close()
        checked = page.checked
        page.check()
        await eventually(lambda: page.checked > checked, deadline_s=15)
        page.arrived.clear()
        await talk(call, page, agent)


async def test_strangers_get_no_answer_from_a_page_s_port(call: Call, eventually: Eventually) -> None:
    async with PagePhone() as page:
        page.take(await call.answer(CITIZEN, page.page_sdp("actpass")))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            hello = bytes((22, 254, 253)) + bytes(60)
            for data in (
                forged_check("nobody:else"),
                forged_check(f"{page.gateway['ice-ufrag']}:{page.ufrag}"),
                hello,
                b"\x00",
                b"",
            ):
                stranger.sendto(data, page.target or ("", 0))
            async with asyncio.timeout(15):
                await page.connected.wait()
            page.check()
            await eventually(lambda: page.checked > 1, deadline_s=15)
            with pytest.raises(BlockingIOError):
                stranger.recv(100)


def test_checks_are_bounded() -> None:
    ice = IceLite()
    forged = forged_check(f"{ice.ufrag}:page")
    assert all(ice.check(forged, ("192.0.2.1", 9), "page", 5.0) is None for _ in range(200))
    assert ice._checks == 200
    assert ice.check(bytes(2000), ("192.0.2.1", 9), "page", 5.0) is None


def test_handshakes_are_bounded() -> None:
    room = Handshakes(1)
    assert room.begin()
    assert not room.begin()
    room.end()
    assert room.begin()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "1 AES_CM_128_HMAC_SHA1_80",
        "x AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40,
        "1 NULL_CIPHER inline:" + "A" * 40,
        "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 41,
        "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "|2^20|1:4",
        "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + " UNENCRYPTED_SRTP",
        "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + " KDR=1",
    ],
)
def test_keys_that_cannot_be_served_count_as_not_said(text: str) -> None:
    assert keying.Crypto.parse(text) is None


def test_keys_are_written_as_they_are_read() -> None:
    text = "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40
    crypto = keying.Crypto.parse(text + "|2^20 WSH=128 -NEW")
    assert str(crypto) == text


def test_a_page_without_its_parts_is_none() -> None:
    whole = ["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 8", "a=ice-ufrag:abcd", "a=ice-pwd:" + "p" * 22, "a=setup:active"]
    digest = "a=fingerprint:SHA-256 " + ":".join(["AB"] * 32)
    assert sdp.parse("\r\n".join([*whole, digest]).encode()).media[0].page is not None
    for missing in range(2, len(whole)):
        lines = [*whole[:missing], *whole[missing + 1 :], digest]
        assert sdp.parse("\r\n".join(lines).encode()).media[0].page is None
    assert sdp.parse("\r\n".join([*whole, "a=fingerprint:md5 AB"]).encode()).media[0].page is None
