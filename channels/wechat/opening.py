"""Opens the official account by its section of the configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.door import Advice, Door, Ports, filled
from channels.wechat.adapter import WeChatChannel
from channels.wechat.settings import WeChatSettings
from session.address import Address


def _open(section: Any, ports: Ports) -> AbstractAsyncContextManager[WeChatChannel]:
    return WeChatChannel.open(
        filled(WeChatSettings, section, number=ports.number),
        inbox=ports.inbox,
        shared=ports.shared,
        files=ports.files,
        on_scan=leads_nowhere,
    )


def _advice(section: Any) -> Iterator[Advice]:
    if section.appid and not section.aes_keys:
        yield Advice(
            "WeChat's pushes come in the clear, and nothing signs their bodies",
            "choose the safe mode (安全模式) in the account, and set wechat.aes_keys",
        )


async def leads_nowhere(_: Address, __: str) -> None:
    """No QR code of ours is shown to anybody yet: a scan leads to no session."""


DOOR = Door("wechat", (("appid", "secret", "token"),), _open, _advice)
