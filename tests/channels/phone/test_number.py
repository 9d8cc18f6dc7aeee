"""Caller identity."""

from typing import Any

import pytest

from channels.phone.number import caller_of, dialled
from channels.phone.sip.uri import Uri
from tests.channels.phone.sip.messages import SDP, request
from tests.channels.phone.sip.test_transactions import parsed


def caller(*extra: str, is_trunk: bool = True, registered: str | None = None, **changed: Any) -> tuple[str, bool]:
    asked = parsed(request("INVITE", body=SDP, extra=extra, **changed))
    found = caller_of(asked, is_trunk=is_trunk, registered=registered, unique="leg1")
    return str(found.address), found.asserted


def test_trunk_is_believed() -> None:
    assert caller("P-Asserted-Identity: <tel:+8613800138000>") == ("tel:+8613800138000", True)
    both = "P-Asserted-Identity: <sip:x@ims.example>, <tel:+86-138-0013-8000>"
    assert caller(both) == ("tel:+8613800138000", True)
    sip = 'P-Asserted-Identity: "李" <sip:+861065551234@ims.example;user=phone>'
    assert caller(sip) == ("tel:+861065551234", True)


def test_nobody_else_is() -> None:
    line = "P-Asserted-Identity: <tel:+8613800138000>"
    assert caller(line, is_trunk=False) == ("anonymous:leg1", False)
    assert caller(line, is_trunk=False, registered="8001") == ("sip:8001", True)


@pytest.mark.parametrize("privacy", ["id", "user;critical", "none;id"])
def test_privacy_is_honoured(privacy: str) -> None:
    hidden = caller("P-Asserted-Identity: <tel:+8613800138000>", f"Privacy: {privacy}")
    assert hidden == ("anonymous:leg1", False)


def test_from_is_a_claim() -> None:
    assert caller(From="<tel:13800138000>;tag=1") == ("tel:+8613800138000", False)
    assert caller(From="<sip:sipp@h.example:5060>;tag=1") == ("sip:sipp@h.example", False)
    assert caller(From='"A" <sip:anonymous@anonymous.invalid>;tag=1') == ("anonymous:leg1", False)
    assert caller("P-Asserted-Identity: rubbish", From="<tel:110>;tag=1") == ("tel:110", False)


@pytest.mark.parametrize(
    ("from_", "identity", "name"),
    [
        ('"王小明" <tel:13800138000>', "<tel:+8613800138000>", "王小明"),
        ('"甲" <tel:13800138000>', '"城建公司" <tel:+8613800138000>', "城建公司"),
        ('"甲" <tel:13800138000>', '"x" <sip:x@ims.example>, <tel:+8613800138000>', "x"),
        ('"Anonymous" <tel:13800138000>', "<tel:+8613800138000>", ""),
        ('"A" <sip:anonymous@anonymous.invalid>', "rubbish", ""),
        ("<tel:13800138000>", "<tel:+8613800138000>", ""),
    ],
)
def test_the_display_name_is_what_they_call_themselves(from_: str, identity: str, name: str) -> None:
    asked = parsed(request("INVITE", body=SDP, extra=(f"P-Asserted-Identity: {identity}",), From=f"{from_};tag=1"))
    assert caller_of(asked, is_trunk=True, registered=None, unique="leg1").name == name


def test_who_hides_has_no_name() -> None:
    extra = ("Privacy: id", 'P-Asserted-Identity: "王小明" <tel:+8613800138000>')
    asked = parsed(request("INVITE", body=SDP, extra=extra, From='"王小明" <tel:13800138000>;tag=1'))
    assert caller_of(asked, is_trunk=True, registered=None, unique="leg1").name == ""


@pytest.mark.parametrize("uri", ["sip:12345@h", "tel:12345", "sip:1-23.45@h", "sip:%3112345@h", "sip:12345;x=y@h"])
def test_dialled(uri: str) -> None:
    asked = parsed(request("INVITE", uri, body=SDP))
    assert dialled(asked).endswith("2345")
    assert Uri.parse(uri).number is not None
