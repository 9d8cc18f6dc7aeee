# ruff: noqa: SIM117 - the telephone is opened with the carrier that stands before it
"""Carriers' trunks: found, registered with, asked whether they live, and what they may send us."""

import asyncio
import re
import time

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.call import Answered, EndCause, Ended
from channels.phone.carriers import Carrier as Known
from channels.phone.carriers import CarrierSettings
from channels.phone.flow import Flow, Protocol3261
from channels.phone.number import called
from channels.phone.sip.address import NameAddress
from channels.phone.sip.digest import Authenticator, Credentials, Verdict, ha1
from channels.phone.sip.login import Login
from channels.phone.sip.message import Request
from channels.phone.sip.registration import Standing
from channels.phone.sip.sdp import narrowed
from channels.phone.sip.timing import Timing
from channels.phone.sip.uri import Uri
from session.state import DialFailure, LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import SDP, Telephone
from tests.channels.phone.test_outgoing import LEG, SESSION, Scene
from tests.conftest import Eventually
from tests.peers.names import NameServer

LOGIN = Login("+8657112345", "carrier's secret")
QUICK = Timing(t1_s=0.02, t2_s=0.08, t4_s=0.1)
NOBODY = ("127.9.9.9", 9)


class Network(Telephone):
    """A carrier's registrar and proxy: challenges, and answers what proves itself."""

    server_side = Authenticator("ims.example", b"k" * 32, algorithms=("MD5",))

    def verdict(self, request: Request) -> Verdict:
        value = request.headers.first("authorization") or request.headers.first("proxy-authorization")
        credentials = Credentials.parse(value) if value else None
        if credentials is None:
            return Verdict.ABSENT
        stored = {"MD5": ha1(LOGIN.username, "ims.example", LOGIN.password, "MD5")}
        return self.server_side.verify(credentials, request.method, request.uri, stored, time.time())

    def challenge(self, request: Request, status: int = 401) -> None:
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        values = [value for _, value in self.server_side.challenges(time.time())]
        self.reply(request, status, tag="ims", extra=tuple(f"{name}: {value}" for value in values))

    async def registered(self) -> Request:
        """Through the challenge to the 200."""
        self.challenge(await self.request("REGISTER", 1))
        second = await self.request("REGISTER", 2)
        assert self.verdict(second) is Verdict.ACCEPTED
        self.reply(second, 200, tag="ims", extra=("Expires: 120",))
        return second


def settings(carrier: Telephone, **changed: object) -> CarrierSettings:
    usual: dict[str, object] = {"name": "telecom", "host": "127.0.0.1", "port": carrier.port, "asked_s": 0.0}
    return CarrierSettings(**{**usual, **changed})  # type: ignore[arg-type]  # a test's own keys


def trunk_of(phone: PhoneChannel) -> Known:
    return phone._carriers.all[0]


async def found(phone: PhoneChannel, eventually: Eventually) -> Known:
    await eventually(lambda: trunk_of(phone).places)
    return trunk_of(phone)


async def test_we_register_keep_it_up_and_leave(open_phone: OpenPhone, eventually: Eventually) -> None:
    async with Network(NOBODY) as carrier:
        one = settings(carrier, login=LOGIN, registers=True, domain="ims.example", expires_s=600)
        async with open_phone(carriers=(one,), trunks=()) as phone:
            carrier.server = phone.bound
            second = await carrier.registered()
            assert str(second.uri) == "sip:ims.example"
            assert str(second.to_address) == "<sip:+8657112345@ims.example>"
            assert second.contacts[0].uri.number == "+8657112345"
            registration = trunk_of(phone).registration
            assert registration is not None
            await eventually(lambda: registration.standing is Standing.REGISTERED)
            registration.timers.set(next(iter(registration.timers._deadlines)), 0.0)
            again = await carrier.request("REGISTER", 3)
            assert (again.call_id, again.cseq[0]) == (second.call_id, second.cseq[0] + 1)
            assert self_count(again) == "00000002"
            carrier.reply(again, 200, tag="ims", extra=("Expires: 120",))
            await eventually(lambda: registration.timers.next_deadline)
        gone = await carrier.request("REGISTER", 4)
        assert gone.headers.first("expires") == "0"


def self_count(request: Request) -> str:
    count = re.search(r"nc=([0-9a-f]{8})", request.headers.first("authorization") or "")
    return count[1] if count else ""


async def test_a_wrong_password_is_told_and_not_hammered(
    open_phone: OpenPhone, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    async with Network(NOBODY) as carrier:
        one = settings(carrier, login=Login("+8657112345", "wrong"), registers=True)
        async with open_phone(carriers=(one,), trunks=()) as phone:
            carrier.server = phone.bound
            for count in (1, 2):
                carrier.challenge(await carrier.request("REGISTER", count))
            registration = trunk_of(phone).registration
            assert registration is not None
            await eventually(lambda: registration.standing is Standing.REFUSED)
            assert "a registration with a trunk has changed" in caplog.text
            assert "wrong" not in caplog.text
        assert len([one for one in carrier.heard if one.cseq[1] == "REGISTER"]) == 2


@pytest.mark.parametrize("dialled", ["12345", "+8657112345", "057112345", "8657112345", "trunk-user"])
async def test_its_calls_come_in_by_any_form_of_our_number(
    open_phone: OpenPhone, core: Core, eventually: Eventually, dialled: str
) -> None:
    async with Network(NOBODY, user="+8613800138000") as carrier:
        one = settings(carrier, identity="trunk-user")
        async with open_phone(carriers=(one,), trunks=(), area="571") as phone:
            await found(phone, eventually)
            carrier.server = phone.bound
            call = await carrier.call(dialled, extra=("P-Asserted-Identity: <tel:+8613912345678>",))
            assert call.answer.status == 200
            (contact,) = core.contacts
            assert (contact.number, str(contact.address), contact.asserted) == ("12345", "tel:+8613912345678", True)
            async with Telephone(phone.bound, host="127.0.0.2") as stranger:
                assert (await stranger.call(dialled)).answer.status == 401


async def test_what_was_dialled_stands_in_another_header(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    """RFC 7315: the request URI is what we registered as."""
    async with Network(NOBODY) as carrier:
        async with open_phone(
            carriers=(settings(carrier),), trunks=(), area="571", numbers=("12345", "12319")
        ) as phone:
            await found(phone, eventually)
            carrier.server = phone.bound
            call = await carrier.call("anything", extra=("P-Called-Party-ID: <sip:057112319@ims.example>",))
            assert call.answer.status == 200
            assert core.contacts[0].number == "12319"


def test_forms_of_our_numbers() -> None:
    numbers = ("12345", "12319")
    for form in ("12319", "+8657112319", "8657112319", "057112319", "57112319"):
        assert called(form, numbers, area="571") == "12319"
    for other in ("", "2319", "+8657112399", "010112319", "112319"):
        assert called(other, numbers, area="571") is None
    assert called("057112319", numbers, area="") is None
    assert called("line7", numbers, area="571", identity="line7") == "12345"


async def test_it_carries_no_more_than_it_may(open_phone: OpenPhone, eventually: Eventually) -> None:
    async with Network(NOBODY) as carrier, Network(NOBODY) as other:
        async with open_phone(carriers=(settings(carrier, calls=1),), trunks=()) as phone:
            await found(phone, eventually)
            carrier.server = other.server = phone.bound
            first = await carrier.call()
            assert first.answer.status == 200
            refused = (await other.call()).answer
            assert (refused.status, "retry-after" in refused.headers) == (503, True)
            first.bye()
            await carrier.response("BYE")
            await eventually(lambda: not trunk_of(phone).running)


async def test_codecs_that_it_may_speak(open_phone: OpenPhone, eventually: Eventually) -> None:
    async with Network(NOBODY) as carrier:
        async with open_phone(carriers=(settings(carrier, codecs=("PCMU",)),), trunks=()) as phone:
            await found(phone, eventually)
            carrier.server = phone.bound
            call = await carrier.call()
            assert b"m=audio" in call.answer.body
            assert b"RTP/AVP 0 101" in call.answer.body
            carrier.send(call.within("INVITE", 2, body=SDP.format(port=40000).replace("8 0 101", "8 101")))
            assert (await carrier.response("INVITE", count=2)).status == 488
            call.ack(2)
            carrier.send(call.within("INVITE", 3))
            ours = await carrier.response("INVITE", count=3)
            assert b"RTP/AVP 8" not in ours.body


def test_a_description_with_some_of_its_codecs() -> None:
    body = (
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 8 0 9 96 13 101\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"
        b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
        b"m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n"
    )
    assert narrowed(body, ()) == body
    some = narrowed(body, ("opus", "PCMU"))
    assert b"m=audio 4000 RTP/AVP 96 0 13 101\r\n" in some
    assert b"useinbandfec" in some
    assert b"m=video 4002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n" in some
    assert b"opus" not in narrowed(body, ("PCMU",))
    assert b"a=fmtp:101 0-15" in narrowed(body, ("pcmu",))
    assert narrowed(body, ("G729",)) == b""


async def test_it_is_asked_whether_it_lives(
    open_phone: OpenPhone, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    async with Network(NOBODY) as carrier:
        async with open_phone(carriers=(settings(carrier, asked_s=0.1),), trunks=(), timing=QUICK) as phone:
            trunk = await found(phone, eventually)
            carrier.server = phone.bound
            (flow,) = trunk.places
            carrier.reply(await carrier.request("OPTIONS"), 200)
            assert trunk.healths[flow].may_be_called(0.0)
            await eventually(lambda: not trunk.healths[flow].may_be_called(0.0), deadline_s=15)
            assert "a trunk's place does not answer" in caplog.text
            await eventually(lambda: answers(carrier) and trunk.healths[flow].may_be_called(0.0), deadline_s=15)


def answers(carrier: Network) -> bool:
    """Answer the last OPTIONS."""
    asked = [one for one in carrier.heard if isinstance(one, Request) and one.method == "OPTIONS"]
    carrier.reply(asked[-1], 405)
    return True


async def test_overloaded_it_is_left_alone(open_phone: OpenPhone, eventually: Eventually) -> None:
    async with Network(NOBODY) as carrier:
        async with open_phone(carriers=(settings(carrier, asked_s=30.0),), trunks=()) as phone:
            trunk = await found(phone, eventually)
            carrier.server = phone.bound
            carrier.reply(await carrier.request("OPTIONS"), 503, extra=("Retry-After: 120 (maintenance);duration=60",))
            now = asyncio.get_running_loop().time()
            await eventually(lambda: not trunk.healths[trunk.places[0]].may_be_called(now + 100))
            assert trunk.healths[trunk.places[0]].may_be_called(now + 130)


async def test_found_by_name_and_kept_while_nobody_answers(
    open_phone: OpenPhone, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.phone.carriers._LOCATED_S", 0.0)
    async with Network(NOBODY) as carrier:
        zone = (
            f"_sip._udp.ims.example. 0 IN SRV 10 0 {carrier.port} edge.ims.example.\n"
            "_sip._udp.ims.example. 0 IN SRV 20 0 5060 spare.ims.example.\n"
            "ims.example. 0 IN A 192.0.2.1\nedge.ims.example. 0 IN A 127.0.0.1\nspare.ims.example. 0 IN A 127.0.0.5\n"
        )
        async with NameServer(zone) as names:
            one = settings(carrier, host="ims.example", port=None, transport=Protocol3261.UDP)
            async with open_phone(carriers=(one,), nameservers=(names.address,), trunks=()) as phone:
                trunk = await found(phone, eventually)
                assert [flow.remote for flow in trunk.places] == [("127.0.0.1", carrier.port), ("127.0.0.5", 5060)]
                assert phone._guard.is_trunk("127.0.0.5")
                trunk.healths[trunk.places[0]].overloaded(1e9, 1e9)
                names.is_silent = True
                carrier.server = phone.bound
                assert (await carrier.call()).answer.status == 200


async def test_a_call_of_ours_proves_itself(phone: PhoneChannel) -> None:
    """407 for the INVITE; the BYE brings its proof along."""
    async with Network(phone.bound) as carrier:
        target = Uri.parse(f"sip:13800138000@127.0.0.1:{carrier.port}")
        flow = Flow(Protocol3261.UDP, ("127.0.0.1", carrier.port))
        us = NameAddress(Uri.parse("sip:12345@127.0.0.1"))
        call = phone._endpoint.call(
            flow, target, caller=us, callee=NameAddress(target), body=SDP.format(port=4000).encode(), login=LOGIN
        )
        first = await carrier.request("INVITE")
        carrier.challenge(first, 407)
        second = await carrier.request("INVITE", 2)
        assert carrier.verdict(second) is Verdict.ACCEPTED
        assert (second.call_id, second.cseq[0], second.body) == (first.call_id, 2, first.body)
        carrier.reply(second, 200, body="v=0")
        async for event in call:
            assert event == Answered(b"v=0")
            break
        call.hang_up()
        assert carrier.verdict(await carrier.request("BYE")) is Verdict.ACCEPTED


async def test_a_call_whose_proof_is_not_taken(phone: PhoneChannel) -> None:
    async with Network(phone.bound) as carrier:
        target = Uri.parse(f"sip:x@127.0.0.1:{carrier.port}")
        flow = Flow(Protocol3261.UDP, ("127.0.0.1", carrier.port))
        us = NameAddress(target)
        call = phone._endpoint.call(flow, target, caller=us, callee=us, body=b"v=0", login=Login("a", "wrong"))
        for count in (1, 2):
            carrier.challenge(await carrier.request("INVITE", count), 407)
        async for event in call:
            assert event == Ended(EndCause.REFUSED, 407)


@pytest.mark.parametrize("first_says", [503, 500, None, 486])
async def test_another_trunk_is_tried_where_the_first_one_fails(
    open_phone: OpenPhone,
    core: Core,
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
    first_says: int | None,
) -> None:
    """A refusal by the citizen is theirs, whichever way it came."""
    monkeypatch.setattr("channels.phone.hunt._UNHEARD_S", 0.3)
    async with Network(NOBODY) as first, Network(NOBODY) as second, Network(NOBODY) as elsewhere:
        carriers = (
            settings(elsewhere, name="elsewhere", numbers=("+86571",)),
            settings(first, name="first", calls=1),
            settings(second, name="second", form="national", login=LOGIN, caller="057112345"),
        )
        async with open_phone(carriers=carriers, trunks=()) as phone:
            await eventually(lambda: all(one.places for one in phone._carriers.all))
            for one in (first, second, elsewhere):
                one.server = phone.bound
            async with Telephone(phone.bound, user="8001") as device:
                await device.register(PASSWORD)
                scene = Scene(phone, core, device, first)
                _, invite = await scene.dialled()
                if first_says is not None:
                    first.reply(invite, first_says)
                if first_says == 486:
                    await eventually(lambda: scene.failure() is DialFailure.BUSY)
                    assert second.heard == []
                    return
                challenged = await second.request("INVITE")
                assert challenged.uri.number == "13800138000"
                assert challenged.from_address.uri.number == "057112345"
                second.challenge(challenged, 407)
                taken = await second.request("INVITE", 2)
                assert second.verdict(taken) is Verdict.ACCEPTED
                second.reply(taken, 200, body=second.offer())
                await second.request("ACK")
                known = {one.name: one for one in phone._carriers.all}
                assert (known["first"].running, known["second"].running) == (0, 1)
                if first_says == 503:
                    assert not known["first"].healths[known["first"].places[0]].may_be_called(phone._endpoint.now)
                assert elsewhere.heard == []
                await phone.close_leg(SESSION, LEG, LegEnd.CLOSED)
                await second.request("BYE")
                await eventually(lambda: known["second"].running == 0)


async def test_a_carrier_behind_our_proxy_is_reached_by_it_and_known_by_its_own_address(open_phone: OpenPhone) -> None:
    async with Network(NOBODY) as proxy:
        there = Uri.parse(f"sip:127.0.0.1:{proxy.port}")
        one = settings(proxy, host="192.0.2.9", port=5070, proxy=there, asked_s=0.05)
        async with open_phone(carriers=(one,), trunks=(), proxies=("127.0.0.1/32",)) as phone:
            proxy.server = phone.bound
            asked = await proxy.request("OPTIONS")
            assert str(asked.uri) == "sip:192.0.2.9:5070", "the question goes on to the carrier"
            proxy.reply(asked, 200)
            assert (await proxy.call()).answer.status == 401, "the proxy itself is no carrier"
