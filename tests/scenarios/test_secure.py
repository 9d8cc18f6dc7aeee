"""The gateway with a certificate: HTTPS, telephones over TLS, and pages that are telephones over secure WebSocket."""

from pathlib import Path

import aiohttp

from tests.channels.phone.pages import PagePhone
from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.caller import Telephones
from tests.peers.certificates import certify
from tests.peers.sound import likeness, speech
from tests.scenarios.kinds import MakesGateway
from tests.scenarios.test_phone import ALIKE

CITIZEN, AGENT = speech(1.0, 41), speech(1.0, 42)
CLEAR = '[{name = "city", host = "127.0.0.1", asked_s = 0}]'
"""The carrier's trunk is its own network: only the telephones are asked for secrecy."""


async def test_nobody_on_the_way_can_read(own_gateway: MakesGateway, tmp_path: Path, eventually: Eventually) -> None:
    made = certify(tmp_path)
    gateway = own_gateway(
        tls__certificate=str(made.certificate),
        tls__key=str(made.key),
        http__tls_port="0",
        sip__tls_port="0",
        sip__srtp="require",
        sip__carriers=CLEAR,
    )
    await gateway.start()
    https, agent, other = gateway.ready["https"], gateway.agent("8001"), gateway.agent("8002")
    trusting = aiohttp.TCPConnector(ssl=made.trusting())
    async with aiohttp.ClientSession(connector=trusting) as http, http.get(f"{https}/healthz") as answer:
        assert answer.status == 200
    softphone = Baresip(
        tmp_path / "baresip",
        gateway.ready["sip_tls"],
        agent.extension,
        agent.sip_password,
        transport="tls",
        authority=made.authority,
        is_secret=True,
        says=AGENT,
    )
    page = PagePhone(gateway.sip, user=other.extension, http=https, tls=made.trusting())
    async with softphone as phone, page, Telephones(gateway.sip) as telephones:
        await phone.registered()
        assert (await page.register(other.sip_password)).status == 200
        call = await telephones.call()
        await call.answered()
        await phone.saw("CALL_INCOMING")
        await phone.answer()
        await phone.saw("CALL_ESTABLISHED")
        await call.sound.say(CITIZEN)
        await eventually(lambda: likeness(CITIZEN, phone.heard()).correlation >= ALIKE, deadline_s=15)
        await eventually(lambda: likeness(AGENT, call.sound.heard()).correlation >= ALIKE, deadline_s=15)
        assert await call.hang_up() == 200
        await phone.saw("CALL_CLOSED")
