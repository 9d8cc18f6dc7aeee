"""Opens the official account by its section of the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

from channels.door import Advice, Door, Ports, filled
from channels.wechat.adapter import WeChatChannel
from channels.wechat.api import Api
from channels.wechat.menu import hotline_menu, menu
from channels.wechat.settings import Reviewed, WeChatSettings
from session.ports import SharedState


def _open(section: Any, ports: Ports) -> AbstractAsyncContextManager[WeChatChannel]:
    return WeChatChannel.open(
        filled(WeChatSettings, section, number=ports.number, words=ports.words, reviewed=reviewed(section)),
        inbox=ports.inbox,
        shared=ports.shared,
        files=ports.files,
        on_scan=ports.scanned,
    )


def reviewed(section: Any) -> Mapping[str, Reviewed]:
    """A subscribed message stands above a template of the same name, which ever fewer accounts may send."""
    by_kind = ((section.templates, False), (section.subscriptions, True))
    return {
        name: Reviewed(number, fields, subscribed=subscribed)
        for texts, subscribed in by_kind
        for name, number, fields in map(_read, texts)
    }


def _read(text: str) -> tuple[str, str, Mapping[str, str]]:
    """`link=TEMPLATE_ID,thing1=text`: the notice's name, the template's id, and each field's parameter."""
    (name, _, number), *fields = (part.partition("=") for part in text.split(","))
    return name, number, {theirs: ours for theirs, _, ours in fields}


def _advice(section: Any) -> Iterator[Advice]:
    if section.appid and not section.aes_keys:
        yield Advice(
            "WeChat's pushes come in the clear, and nothing signs their bodies",
            "choose the safe mode (安全模式) in the account, and set wechat.aes_keys",
        )


async def _set_menu(section: Any, shared: SharedState, page: str) -> None:
    """By a token that is WeChat's current one: to ask for it makes no other node's void."""
    settings = filled(WeChatSettings, section)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        await Api(settings, http, shared).set_menu(menu(hotline_menu(settings.human_key, page)))


DOOR = Door("wechat", (("appid", "secret", "token"),), _open, _advice, set_menu=_set_menu)
