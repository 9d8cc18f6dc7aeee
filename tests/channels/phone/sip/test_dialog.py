"""Dialogs: targets, routes and sequence numbers."""

from typing import Any

from channels.phone.sip.dialog import Dialog, dialog_id
from channels.phone.sip.message import Headers, Request, Response, respond
from tests.channels.phone.sip.messages import SDP, request
from tests.channels.phone.sip.test_transactions import parsed

VIA = "SIP/2.0/UDP us;branch=z9hG4bKn"


def incoming(*extra: str, **changed: Any) -> Request:
    return parsed(request("INVITE", body=SDP, extra=extra, **changed))


def outgoing(*record_routes: str, contact: str = "<sip:dev@192.0.2.5:5070;transport=UDP>") -> Dialog:
    asked = incoming()
    headers = (*((("Record-Route"), value) for value in record_routes), ("Contact", contact))
    plain = respond(asked, 200, to_tag="far", headers=headers)
    return Dialog.created(asked, plain)


def test_uas_dialog() -> None:
    asked = incoming("Record-Route: <sip:p1;lr>, <sip:p2;lr>")
    dialog = Dialog.answered(asked, "ours")
    assert dialog.id == (asked.call_id, "ours", "own1")
    assert [str(route.uri) for route in dialog.route_set] == ["sip:p1;lr", "sip:p2;lr"]
    bye = dialog.next_sequence().request("BYE", via=VIA)
    assert str(bye.uri) == "sip:caller@probe.example"
    assert bye.headers.all("route") == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert bye.cseq == (1, "BYE")
    assert (bye.from_address.tag, bye.to_address.tag) == ("ours", "own1")
    assert dialog_id(bye, is_uas=True) == (asked.call_id, "own1", "ours")


def test_uac_dialog_reads_its_routes_backwards() -> None:
    dialog = outgoing("<sip:far;lr>", "<sip:near;lr>")
    assert [str(route.uri) for route in dialog.route_set] == ["sip:near;lr", "sip:far;lr"]
    assert dialog.next_hop.host == "near"
    assert dialog.remote_target.transport == "udp"


def test_strict_router() -> None:
    bye = outgoing("<sip:strict>").request("BYE", via=VIA)
    assert str(bye.uri) == "sip:strict"
    assert bye.headers.all("route") == ("<sip:dev@192.0.2.5:5070;transport=UDP>",)


def test_old_or_repeated_sequence_numbers_are_refused() -> None:
    dialog = Dialog.answered(incoming(), "ours")
    assert dialog.received(parsed(request("BYE", CSeq="7 BYE"))) is None
    assert dialog.received(parsed(request("BYE", CSeq="6 BYE"))) is None
    later = dialog.received(parsed(request("BYE", CSeq="9 BYE")))
    assert later is not None
    assert later.remote_seq == 9


def test_target_refresh_never_takes_escaped_headers() -> None:
    refreshed = Dialog.answered(incoming(), "ours").refreshed(
        incoming(Contact="<sip:new@192.0.2.7?Route=%3Csip:evil%3E>").contacts
    )
    assert str(refreshed.remote_target) == "sip:new@192.0.2.7"


def test_peer_without_contact_is_reached_at_its_from() -> None:
    asked = parsed(request("INVITE", body=SDP, drop=("Contact",)))
    assert str(Dialog.answered(asked, "ours").remote_target) == "sip:caller@probe.example"


def test_responses_keep_header_bytes() -> None:
    asked = parsed(request("INVITE", body=SDP).replace(b"From: ", "From: 张三 ".encode("gb18030")))
    assert "张三".encode("gb18030") in bytes(respond(asked, 180, to_tag="x"))
    assert asked.from_address.display == "张三"
    assert isinstance(Response(Headers(), status=100), Response)
