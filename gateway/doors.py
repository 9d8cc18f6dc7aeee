"""Channels that open only where the operator has an account of theirs; without one they are off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from channels.contract import Channel
from channels.wechat.adapter import WeChatChannel
from channels.wechat.kf.adapter import KfChannel
from channels.wechat.kf.settings import KfSettings
from channels.wechat.settings import WeChatSettings
from config.settings import Settings
from session.address import Address
from session.errors import YihaoError
from session.ports import Files, Inbox, SharedState


class HalfFilled(YihaoError):
    """An account that could not take or send anything, or could not tell a forgery."""

    def __init__(self, lacking: tuple[str, ...]) -> None:
        self.lacking = lacking
        super().__init__(f"{', '.join(lacking)} missing; fill in all of the section, or nothing")


def lacking(settings: Settings) -> tuple[str, ...]:
    """The keys that are empty beside others of their account that are not."""
    wechat, kf = settings.wechat, settings.wechat_kf
    accounts: tuple[dict[str, object], ...] = (
        {"wechat.appid": wechat.appid, "wechat.secret": wechat.secret, "wechat.token": wechat.token},
        {
            "wechat_kf.corpid": kf.corpid,
            "wechat_kf.open_kfid": kf.open_kfid,
            "wechat_kf.secret": kf.secret,
            "wechat_kf.token": kf.token,
            "wechat_kf.aes_keys": kf.aes_keys,
        },
    )
    return tuple(key for keys in accounts if any(keys.values()) for key, value in keys.items() if not value)


@asynccontextmanager
async def open_doors(
    settings: Settings, *, inbox: Inbox, shared: SharedState, files: Files
) -> AsyncIterator[list[Channel]]:
    """Every account that is filled in, until the end of the block. Raises `HalfFilled`."""
    if keys := lacking(settings):
        raise HalfFilled(keys)
    doors: list[Channel] = []
    async with AsyncExitStack() as stack:
        if settings.wechat.appid:
            account = WeChatChannel.open(
                _official_account(settings), inbox=inbox, shared=shared, files=files, on_scan=_scanned
            )
            doors.append(await stack.enter_async_context(account))
        if settings.wechat_kf.open_kfid:
            service = KfChannel.open(
                _customer_service(settings), inbox=inbox, shared=shared, files=files, on_scan=_scanned
            )
            doors.append(await stack.enter_async_context(service))
        yield doors


def _official_account(settings: Settings) -> WeChatSettings:
    wechat = settings.wechat
    return WeChatSettings(
        appid=wechat.appid,
        secret=wechat.secret.reveal(),
        token=wechat.token.reveal(),
        aes_keys=tuple(key.reveal() for key in wechat.aes_keys),
        number=settings.sip.number[0],
        greeting=wechat.greeting,
        human_key=wechat.human_key,
        api=wechat.api,
        media_origins=wechat.media_origins,
    )


def _customer_service(settings: Settings) -> KfSettings:
    kf = settings.wechat_kf
    account = WeChatSettings(
        appid=kf.open_kfid,
        secret=kf.secret.reveal(),
        token=kf.token.reveal(),
        aes_keys=tuple(key.reveal() for key in kf.aes_keys),
        number=settings.sip.number[0],
        path=kf.path,
        greeting=kf.greeting,
        api=kf.api,
    )
    return KfSettings(corpid=kf.corpid, account=account)


async def _scanned(_: Address, __: str) -> None:
    """No QR code of ours is shown to anybody yet: a scan leads to no session."""
