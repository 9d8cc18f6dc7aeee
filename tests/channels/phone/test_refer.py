"""REFER: who may ask for it, for whom, and what they are told (RFC 3515, 3891, 3892)."""

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.errors import MalformedMessage
from channels.phone.sip.message import Headers, Request
from channels.phone.sip.refer import Reference, fragment, read_replaces
from channels.phone.sip.uri import Uri
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_adapter import AGENT, joined
from tests.conftest import Eventually


def refer(*lines: tuple[str, str]) -> Request:
    return Request(headers=Headers(lines), method="REFER", uri=Uri.parse("sip:x@y"))


def asked(device: Telephone, invite: Request, cseq: int, *extra: str) -> bytes:
    """A REFER within the agent's dialog."""
    wire = device.compose("REFER", call=invite.call_id, cseq=cseq, to=invite.headers.first("from") or "", extra=extra)
    theirs = f"From: <sip:8001@127.0.0.1>;tag=t{invite.call_id[:6]}".encode()
    return wire.replace(theirs, f"From: {invite.headers.first('to')};tag=dev".encode())


async def test_an_agent_hands_on_to_whom_they_may(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        call = await caller.call()
        await joined(phone, core, device, eventually)
        invite = await device.request("INVITE")
        wanted = (("8002", 202), ("8003", 480), ("8004", 403), ("nobody", 404))
        for number, (target, status) in enumerate(wanted, 1):
            device.send(asked(device, invite, number, f"Refer-To: <sip:{target}@yihao>"))
            assert (await device.response("REFER", count=number)).status == status
        assert core.handed_on == [(AGENT, target) for target, _ in wanted]
        notify = await device.request("NOTIFY")
        assert notify.headers.first("event") == "refer;id=1"
        assert (notify.headers.first("subscription-state") or "").startswith("terminated")
        assert notify.body == b"SIP/2.0 200 OK\r\n"
        device.reply(notify, 200)
        device.send(asked(device, invite, 9, "Refer-To: <sip:8002@yihao>", "Refer-Sub: false"))
        quiet = await device.response("REFER", count=5)
        assert (quiet.status, quiet.headers.first("refer-sub")) == (202, "false")
        assert len([one for one in device.heard if isinstance(one, Request) and one.method == "NOTIFY"]) == 1
        call.bye()


async def test_what_is_no_reference_and_what_is_not_ours_to_give(
    phone: PhoneChannel, core: Core, eventually: Eventually
) -> None:
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        call = await caller.call()
        await joined(phone, core, device, eventually)
        invite = await device.request("INVITE")
        bad: tuple[tuple[tuple[str, ...], int], ...] = (
            ((), 400),
            (("Refer-To: <sip:8002@yihao>", "Refer-To: <sip:8003@yihao>"), 400),
            (("Refer-To: <>",), 400),
            (("Refer-To: <sip:8002@yihao?Replaces=1>",), 400),
            (("Refer-To: <sip:8002@yihao?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>",), 403),
        )
        for number, (lines, status) in enumerate(bad, 1):
            device.send(asked(device, invite, number, *lines))
            assert (await device.response("REFER", count=number)).status == status
        named = await device.response("REFER", count=len(bad))
        assert "at this node: transfer from the desk" in (named.headers.first("warning") or "")
        caller.send(call.within("REFER", 2, extra=("Refer-To: <sip:+8613800138000@anywhere>",)))
        assert (await caller.response("REFER")).status == 403, "a citizen calls nobody at our expense"
        caller.send(caller.compose("REFER", extra=("Refer-To: <sip:x@y>",)))
        assert (await caller.response("REFER", count=2)).status == 481
        assert core.handed_on == []
        assert core.closed() == [], "the call goes on"


async def test_no_dialog_is_taken_over_by_an_invite(phone: PhoneChannel, core: Core, eventually: Eventually) -> None:
    """RFC 3891: not from another telephone, nor by whoever has learned the names of a call that runs."""
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        call = await caller.call()
        await joined(phone, core, device, eventually)
        tag = call.to.partition("tag=")[2]
        theirs = call.answer.from_address.tag
        wanted: tuple[tuple[tuple[str, ...], int], ...] = (
            ((f"Replaces: {call.call};to-tag={tag};from-tag={theirs}",), 481),
            ((f"Replaces: {call.call};to-tag={theirs};from-tag={tag};early-only",), 481),
            (("Replaces: none;to-tag=1;from-tag=2",), 481),
            (("Replaces: a;to-tag=1;from-tag=2", "Replaces: b;to-tag=1;from-tag=2"), 400),
            (("Replaces: a;to-tag=1",), 400),
        )
        for number, (lines, status) in enumerate(wanted, 2):
            caller.send(caller.compose("INVITE", call=f"another-{number}", extra=lines, body=caller.offer()))
            assert (await caller.response("INVITE", count=number)).status == status, lines
        assert (len(core.contacts), core.closed()) == (1, []), "the call goes on, and no other has begun"
        call.bye()
        device.reply(await device.request("BYE"), 200)
        await eventually(lambda: core.closed(), deadline_s=15)


def test_what_a_reference_says() -> None:
    one = Reference.of(
        refer(
            ("Refer-To", "<sip:8002@yihao;user=phone?Replaces=a84b%40host%3Bto-tag%3D7%3Bfrom-tag%3D9&Subject=x>"),
            ("Referred-By", '"Agent" <sip:8001@yihao>;cid="2"'),
            ("Refer-Sub", " False "),
        )
    )
    assert str(one.target) == "sip:8002@yihao;user=phone"
    assert one.replaces == ("a84b@host", "7", "9")
    assert (one.referred_by, one.wants_news) == ("sip:8001@yihao", False)
    assert Reference.of(refer(("Refer-To", "sip:x@y"))) == Reference(Uri.parse("sip:x@y"))
    assert fragment(200) == b"SIP/2.0 200 OK\r\n"


@pytest.mark.parametrize(
    "text", ["", ";", "a", "a;to-tag=1", "a;from-tag=1", "a;to-tag=;from-tag=2", ';to-tag=1;from-tag="']
)
def test_a_replaces_that_is_none(text: str) -> None:
    with pytest.raises(MalformedMessage):
        read_replaces(text)
