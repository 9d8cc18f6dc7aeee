"""Opens text messages by their section of the configuration: one channel, and each carrier that is filled in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.door import Advice, Door, Ports, filled
from channels.sms.adapter import SmsChannel
from channels.sms.aliyun.carrier import AliyunCarrier, AliyunSettings
from channels.sms.carrier import Carrier
from channels.sms.cmpp.carrier import CmppCarrier
from channels.sms.cmpp.messages import V20, V30
from channels.sms.cmpp.settings import CmppSettings
from channels.sms.coding import Coding
from channels.sms.door import Door as SecretDoor
from channels.sms.link import LinkSettings
from channels.sms.media import MediaSettings, Network
from channels.sms.quiet import Hours
from channels.sms.settings import SmsSettings
from channels.sms.smpp.carrier import SmppCarrier
from channels.sms.smpp.settings import SmppSettings
from channels.sms.tencent.carrier import TencentCarrier, TencentSettings, TencentTemplate
from channels.sms.twilio.carrier import TwilioCarrier
from channels.sms.twilio.settings import TwilioSettings

ACCOUNTS = {
    "cmpp": ("cmpp.host", "cmpp.account", "cmpp.secret", "cmpp.source_id"),
    "smpp": ("smpp.host", "smpp.system", "smpp.password", "smpp.source"),
    "aliyun": ("aliyun.key_id", "aliyun.key_secret", "aliyun.signature", "aliyun.templates", "aliyun.callback_secret"),
    "tencent": (
        "tencent.secret_id",
        "tencent.secret_key",
        "tencent.app",
        "tencent.signature",
        "tencent.templates",
        "tencent.callback_secret",
    ),
    "twilio": ("twilio.account", "twilio.tokens", "twilio.sender", "twilio.public_url"),
}
"""By carrier, in the order in which they are asked for numbers that no way names."""
_VERSIONS = {"2.0": V20, "3.0": V30}


def _open(section: Any, ports: Ports) -> AbstractAsyncContextManager[SmsChannel]:
    carriers = carriers_of(section)
    start, _, end = section.quiet.partition("-")
    settings = filled(
        SmsSettings,
        section,
        number=ports.number,
        pepper=ports.pepper,
        ways=ways_of(section, carriers),
        templates=ports.words,
        quiet=Hours(start, end),
    )
    return SmsChannel(settings, carriers, node=ports.node, inbox=ports.inbox, shared=ports.shared, files=ports.files)


def ways_of(section: Any, carriers: list[Carrier]) -> tuple[tuple[str, str], ...]:
    """The ways that are named, and behind them the first carrier for all other numbers."""
    named = tuple((prefix, name) for prefix, name in _pairs(section.ways).items())
    return (*named, *((("+", carriers[0].name),) if carriers else ()))


def carriers_of(section: Any) -> list[Carrier]:
    """Those that are filled in."""
    makers = {"cmpp": _cmpp, "smpp": _smpp, "aliyun": _aliyun, "tencent": _tencent, "twilio": _twilio}
    return [makers[name](getattr(section, name)) for name in _wanted(section)]


def _wanted(section: Any) -> list[str]:
    return [name for name, keys in ACCOUNTS.items() if any(_value(section, key) for key in keys)]


def _value(section: Any, key: str) -> object:
    carrier, _, name = key.partition(".")
    return getattr(getattr(section, carrier), name)


def _cmpp(account: Any) -> Carrier:
    return CmppCarrier(filled(CmppSettings, account, link=_link(account), version=_VERSIONS[account.version]))


def _smpp(account: Any) -> Carrier:
    return SmppCarrier(filled(SmppSettings, account, link=_link(account), default=Coding(account.default)))


def _link(account: Any) -> LinkSettings:
    return filled(LinkSettings, account)


def _aliyun(account: Any) -> Carrier:
    return AliyunCarrier(filled(AliyunSettings, account, templates=_pairs(account.templates), door=_door(account)))


def _tencent(account: Any) -> Carrier:
    reviewed = {name: _numbered(text) for name, text in _pairs(account.templates).items()}
    return TencentCarrier(filled(TencentSettings, account, templates=reviewed, door=_door(account)))


def _numbered(text: str) -> TencentTemplate:
    """`1234:url,minutes`: its number, and our parameters in the order of its own."""
    number, _, parameters = text.partition(":")
    return TencentTemplate(number, tuple(name.strip() for name in parameters.split(",") if name.strip()))


def _twilio(account: Any) -> Carrier:
    return TwilioCarrier(
        filled(
            TwilioSettings,
            account,
            shared_keys=_pairs([one.reveal() for one in account.shared_keys]),
            contents=_pairs(account.contents),
            media=MediaSettings(hosts=account.media_hosts),
        )
    )


def _door(account: Any) -> SecretDoor:
    networks: tuple[Network, ...] = tuple(ipaddress.ip_network(one, strict=False) for one in account.networks)
    return SecretDoor(account.callback_secret.reveal(), networks)


def _pairs(texts: Any) -> Mapping[str, str]:
    return {name.strip(): value.strip() for name, _, value in (one.partition("=") for one in texts)}


def _called_for(section: Any) -> Iterator[str]:
    """Carriers that a way names, and that are not filled in."""
    wanted = _wanted(section)
    for name in dict.fromkeys(_pairs(section.ways).values()):
        if name not in wanted:
            yield from ACCOUNTS[name]


def _advice(section: Any) -> Iterator[Advice]:
    for name in _wanted(section):
        account = getattr(section, name)
        if hasattr(account, "callback_secret") and not account.networks:
            yield Advice(
                f"whoever learns the path of {name}'s webhook may bring texts in any citizen's name",
                f"set sms.{name}.networks to the addresses that it calls from",
            )
        if hasattr(account, "callback_secret") and section.reply_template not in _pairs(account.templates):
            yield Advice(
                f"agents cannot answer by {name}: it sends nothing but reviewed templates",
                f"have one reviewed for {{text}}, and name it in sms.{name}.templates as {section.reply_template}=…",
            )


DOOR = Door("sms", tuple(ACCOUNTS.values()), _open, _advice, _called_for)
