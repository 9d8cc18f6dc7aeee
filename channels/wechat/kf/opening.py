"""Opens WeChat customer service by its section of the configuration."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from channels.door import Door, Ports, filled
from channels.wechat.kf.adapter import KfChannel
from channels.wechat.kf.settings import KfSettings
from channels.wechat.settings import WeChatSettings


def _open(section: Any, ports: Ports) -> AbstractAsyncContextManager[KfChannel]:
    account = filled(WeChatSettings, section, number=ports.number, appid=section.open_kfid, words=ports.words)
    return KfChannel.open(
        KfSettings(section.corpid, account),
        inbox=ports.inbox,
        shared=ports.shared,
        files=ports.files,
        on_scan=ports.scanned,
    )


DOOR = Door("wechat_kf", (("corpid", "open_kfid", "secret", "token", "aes_keys"),), _open)
