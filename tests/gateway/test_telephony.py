"""Carriers as the operator writes them."""

from pathlib import Path

import pytest

from channels.phone.carriers import CarrierSettings
from channels.phone.flow import Protocol3261
from channels.phone.sip.login import Login
from config.errors import BadValue, UnknownKey
from config.loading import load
from config.printing import effective
from config.settings import Settings
from gateway.doctor import Grade, examine
from gateway.telephony import carrier_of

FILE = """
[[sip.carriers]]
name = "telecom"
host = "ims.example.cn"
username = "+8657112345"
password = "carrier secret"
registers = true
transport = "tls"
networks = ["192.0.2.0/24"]
codecs = ["PCMA"]

[[sip.carriers]]
name = "mobile"
host = "192.0.2.9"
port = 5080
"""


def loaded(folder: Path, text: str) -> Settings:
    (folder / "yihao.toml").write_text(text)
    return load(arguments=[f"data={folder}", "demo=false"], environment={})


def test_each_becomes_a_trunk(tmp_path: Path) -> None:
    telecom, mobile = map(carrier_of, loaded(tmp_path, FILE).sip.carriers)
    assert telecom.login == Login("+8657112345", "carrier secret")
    assert (telecom.port, telecom.transport, telecom.codecs) == (None, Protocol3261.TLS, ("PCMA",))
    assert str(telecom.networks[0]) == "192.0.2.0/24"
    assert telecom.user == "+8657112345"
    assert mobile == CarrierSettings(name="mobile", host="192.0.2.9", port=5080)


def test_from_one_line_and_printed_without_the_password(tmp_path: Path) -> None:
    line = '[{name = "telecom", host = "ims.example.cn", username = "u", password = "carrier secret"}]'
    settings = load(arguments=[f"data={tmp_path}"], environment={"YIHAO_SIP__CARRIERS": line})
    assert carrier_of(settings.sip.carriers[0]).login == Login("u", "carrier secret")
    printed = effective(settings)
    assert "carrier secret" not in printed
    assert 'host = "ims.example.cn"' in printed


@pytest.mark.parametrize(
    "text",
    [
        '[[sip.carriers]]\nname = "x"',
        '[[sip.carriers]]\nname = "x"\nhost = "a b"',
        '[[sip.carriers]]\nname = "x"\nhost = "a"\ntransport = "sctp"',
        '[[sip.carriers]]\nname = "x"\nhost = "a"\nnetworks = ["everywhere"]',
        '[sip]\ncarriers = ["telecom"]',
    ],
)
def test_one_that_cannot_be(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadValue) as caught:
        loaded(tmp_path, text)
    assert "sip.carriers" in caught.value.key


def test_a_key_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey, match="hots"):
        loaded(tmp_path, '[[sip.carriers]]\nname = "x"\nhots = "a"')


def test_what_the_doctor_sees(tmp_path: Path) -> None:
    def grades(text: str) -> list[str]:
        return [
            one.what for one in examine(loaded(tmp_path, text)) if one.grade is Grade.FAULT and "arrier" in one.what
        ]

    assert grades(FILE) == []
    assert grades('[[sip.carriers]]\nname = "x"\nhost = "a"\nregisters = true') == [
        "carrier x is registered with as nobody"
    ]
    assert grades('[[sip.carriers]]\nname = "x"\nhost = "a"\n[[sip.carriers]]\nname = "x"\nhost = "b"') == [
        "two carriers have one name"
    ]
