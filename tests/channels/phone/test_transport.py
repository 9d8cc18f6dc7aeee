"""Every way in: the same calls and registrations over UDP, TCP, TLS and WebSocket, IPv4 and IPv6."""

import asyncio
import ssl
import struct
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp
import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.call import EndCause, Ended
from channels.phone.flow import Flow, Protocol3261
from channels.phone.sip.address import NameAddress
from channels.phone.sip.uri import Uri
from channels.phone.websocket import PATH
from session.ids import AssigneeId, SessionId
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.pages import PagePhone, web_server
from tests.channels.phone.telephone import Telephone
from tests.conftest import Eventually
from tests.peers.certificates import Certified, certify

AGENT = AssigneeId("a8001")
WAYS = ("udp", "tcp", "tls", "ws", "udp6", "tcp6", "tls6")


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certify(tmp_path_factory.mktemp("tls"))


@dataclass
class Doors:
    """A phone with every way in open."""

    phone: PhoneChannel
    http: str
    trusting: ssl.SSLContext

    def telephone(self, way: str, user: str = "caller") -> Telephone:
        host = "::1" if way.endswith("6") else "127.0.0.1"
        if way == "ws":
            return PagePhone(self.phone.bound, user=user, http=self.http)
        port = self.phone.tls_port if way.startswith("tls") else self.phone.bound[1]
        tls = self.trusting if way.startswith("tls") else None
        return Telephone((host, port), host=host, tcp=way.startswith("tcp"), tls=tls, user=user)


@pytest.fixture
async def doors(open_phone: OpenPhone, certified: Certified) -> AsyncIterator[Doors]:
    networks = ("127.0.0.0/8", "::1/128")
    async with (
        open_phone(host6="::1", tls=certified.serving(), tls_port=0, trunks=networks) as phone,
        web_server(phone) as http,
    ):
        yield Doors(phone, http, certified.trusting())


async def ring(phone: PhoneChannel, core: Core, token: int = 1) -> None:
    leg = core.contacts[-1].leg
    await phone.ring(SessionId(f"session-{leg}"), leg, AGENT, token, time.time() + 20)


async def test_a_page_proves_itself_even_from_a_trunk_s_network(doors: Doors, core: Core) -> None:
    """Behind a proxy on this machine every page would come from there."""
    async with doors.telephone("ws") as page:
        assert (await page.call()).answer.status == 401
    assert core.contacts == []


@pytest.mark.parametrize("way", [way for way in WAYS if way != "ws"])
async def test_a_citizen_calls(doors: Doors, core: Core, eventually: Eventually, way: str) -> None:
    async with doors.telephone(way) as caller:
        call = await caller.call()
        assert call.answer.status == 200
        (contact,) = call.answer.contacts
        assert contact.uri.transport == caller.way
        assert contact.uri.host == ("::1" if way.endswith("6") else "127.0.0.1")
        call.bye()
        assert (await caller.response("BYE")).status == 200
        await eventually(lambda: core.closed() == [("call", LegEnd.HANGUP)])


@pytest.mark.parametrize("way", WAYS)
async def test_an_agent_is_rung_by_the_flow_that_they_registered_by(doors: Doors, core: Core, way: str) -> None:
    async with doors.telephone(way, "8001") as device, doors.telephone("udp") as caller:
        assert (await device.register(PASSWORD)).status == 200
        await caller.call()
        await ring(doors.phone, core)
        invite = await device.request("INVITE")
        assert invite.vias[0].transport == device.way.upper()
        device.reply(invite, 200, body=device.offer())
        ack = await device.request("ACK")
        assert ack.vias[0].transport == device.way.upper()


async def test_sips_is_taken_where_nobody_else_can_read(doors: Doors) -> None:
    for way, status in (("tls", 200), ("tcp", 416)):
        async with doors.telephone(way) as caller:
            caller.send(caller.compose("OPTIONS", "sips:12345@yihao.example"))
            assert (await caller.response("OPTIONS")).status == status


async def test_old_tls_is_refused(doors: Doors) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", doors.phone.tls_port, ssl=old)


async def test_bytes_that_are_no_tls_leave_the_door_open(doors: Doors) -> None:
    for noise in (b"OPTIONS sip:x SIP/2.0\r\n\r\n", b"\x16\x03\x01" + bytes(500)):
        _, writer = await asyncio.open_connection("127.0.0.1", doors.phone.tls_port)
        writer.write(noise)
        await writer.drain()
        writer.close()
    async with doors.telephone("tls") as caller:
        assert (await caller.call()).answer.status == 200


async def test_what_is_asked_over_datagrams_whether_we_are_there(doors: Doors) -> None:
    """RFC 5626, section 4.4.2: a STUN Binding request tells the telephone how we see it."""
    transaction = b"transaction1"
    for way, family in (("udp", 1), ("udp6", 2)):
        async with doors.telephone(way) as device:
            device.send(struct.pack(">HHI12s", 1, 0, 0x2112A442, transaction))
            device.send(struct.pack(">HHI12s", 1, 4, 0x2112A442, transaction))  # its length lies: dropped
            device.send(device.compose("OPTIONS"))
            await device.response("OPTIONS")
            (answer,) = [one for one in device.raw if not one.startswith(b"SIP/")]
            kind, _, _, echoed, attribute, _, mapped, port = struct.unpack_from(">HHI12sHHxBH", answer)
            assert (kind, echoed, attribute) == (0x0101, transaction, 0x0020)
            assert (mapped, port ^ 0x2112) == (family, device.port)


@pytest.mark.parametrize("binary", [False, True])
async def test_a_page_pings_and_sends_either_kind_of_frame(doors: Doors, binary: bool) -> None:
    async with PagePhone(doors.phone.bound, http=doors.http, binary=binary) as page:
        page.send(b"\r\n\r\n")
        page.send(page.compose("OPTIONS"))
        assert (await page.response("OPTIONS")).status == 200
        assert page.raw[0] == b"\r\n"


@pytest.mark.parametrize(
    ("origin", "protocols", "status"),
    [("https://evil.example", ("sip",), 403), (None, ("sip",), 403), ("own", (), 400), ("own", ("mqtt",), 400)],
)
async def test_a_page_that_is_not_a_telephone_of_ours(
    doors: Doors, origin: str | None, protocols: tuple[str, ...], status: int
) -> None:
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(
                doors.http + PATH, protocols=protocols, origin=doors.http if origin == "own" else origin
            )
        assert refused.value.status == status


@pytest.mark.parametrize("way", ["tcp", "tls", "ws"])
async def test_a_telephone_whose_connection_is_cut(
    doors: Doors, core: Core, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """It may return unnoticed; one that stays away is not offered anything by that registration."""
    monkeypatch.setattr("channels.phone.registrar._RETURNS_S", 0.2)
    async with AsyncExitStack() as stack:
        device = await stack.enter_async_context(doors.telephone(way, "8001"))
        await device.register(PASSWORD)
        device.disconnect()
        again = await stack.enter_async_context(doors.telephone(way, "8001"))
        await again.register(PASSWORD)
        assert core.presence[0] == ("a8001", way != "ws"), "an agent of a page becomes ready at the desk"
        assert ("a8001", True) not in core.presence[1:], "its return is no return after an absence"
        again.disconnect()
        await eventually(lambda: core.presence[-1] == ("gone", False), deadline_s=10)
        assert all(not fields for fields in core.maps.values())


async def test_a_page_asks_for_flows(doors: Doors, core: Core) -> None:
    """RFC 5626: the telephone is known by its own name, so that a new connection takes the old one's place."""
    extra = ("Supported: path, outbound",)
    params = ';reg-id=1;+sip.instance="<urn:uuid:1>"'
    for turn in range(2):
        page = PagePhone(doors.phone.bound, user="8001", device=f"r{turn}", contact_params=params, http=doors.http)
        async with page:
            answer = await page.register(PASSWORD, extra=extra, cseq=10 * turn + 1)
            assert answer.status == 200
            assert "outbound" in answer.headers.listed("require")
            assert answer.headers.first("flow-timer") == "120"
            assert len(answer.headers.all("contact")) == 1
    (bindings,) = core.maps.values()
    assert len(bindings) == 1


async def test_a_telephone_behind_a_proxy_is_reached_through_it(doors: Doors, core: Core) -> None:
    """RFC 3327: what the REGISTER came through, the INVITE goes through."""
    async with doors.telephone("udp", "8001") as proxy, doors.telephone("udp") as caller:
        path = f"<sip:{proxy.host}:{proxy.port};lr>"
        answer = await proxy.register(PASSWORD, extra=(f"Path: {path}",))
        assert answer.headers.first("path") == path
        await caller.call()
        await ring(doors.phone, core)
        assert (await proxy.request("INVITE")).headers.all("route") == (path,)


async def test_a_trunk_s_certificate_is_looked_at(open_phone: OpenPhone, certified: Certified) -> None:
    """A connection that we make goes to whom the certificate names, or not at all."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.readline())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certified.serving())
    port = server.sockets[0].getsockname()[1]
    target = Uri.parse(f"sip:x@127.0.0.1:{port};transport=tls")
    async with open_phone(verifying=certified.trusting()) as phone:
        for name, is_heard in (("localhost", True), ("carrier.example", False)):
            flow = Flow(Protocol3261.TLS, ("127.0.0.1", port), name=name)
            call = phone._endpoint.call(
                flow, target, caller=NameAddress(target), callee=NameAddress(target), body=b"v=0\r\n"
            )
            async for event in call:
                assert event == Ended(EndCause.LOST, 408)
            assert heard.empty() is not is_heard
            while not heard.empty():
                heard.get_nowait()
    server.close()
    await server.wait_closed()
