"""WeCom's calls for its customer service (qyapi.weixin.qq.com)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aiohttp

from channels.wechat.access import AccessToken
from channels.wechat.api import MediaCalls
from channels.wechat.calls import Calls, Json, text_in
from channels.wechat.keys import Keys
from channels.wechat.kf.settings import KfSettings
from session.ports import SharedState

_LONGEST_ID = 32
MOST_ASKED = 100
"""Citizens whose names are asked for at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """Messages since a cursor, oldest first."""

    messages: Sequence[Json]
    cursor: str
    has_more: bool
    """A page may be short, or empty, and still not be the last."""


class KfApi(MediaCalls):
    """One account's calls. Every method raises `WeChatError` and `StoreUnavailable`."""

    def __init__(self, settings: KfSettings, http: aiohttp.ClientSession, shared: SharedState) -> None:
        self._settings, account = settings, settings.account
        calls = Calls(account.api, http, timeout_s=account.api_timeout_s)
        patience_s = 2 * account.api_timeout_s
        super().__init__(calls, AccessToken(shared, Keys(account.appid), self._fetch_token, patience_s=patience_s))

    async def send(self, to: str, message: Json, name: str) -> None:
        """One message. WeCom knows one that is sent again by its id; what is unknown is unknown all the same."""
        body = {"touser": to, "open_kfid": self._settings.account.appid, "msgid": name[-_LONGEST_ID:], **message}
        await self._calls.post(self._access, "/cgi-bin/kf/send_msg", body)

    async def welcome(self, code: str, text: str) -> None:
        """Answer one who has just entered; good for 20 s, and costs no message of the budget."""
        body = {"code": code, "msgtype": "text", "text": {"content": text}}
        await self._calls.post(self._access, "/cgi-bin/kf/send_msg_on_event", body)

    async def pull(self, cursor: str, token: str) -> Page:
        """What has come since the cursor. With the token of a callback it may be asked more often."""
        body = {"open_kfid": self._settings.account.appid, "limit": self._settings.page, "voice_format": 0}
        body |= {"cursor": cursor} if cursor else {}
        body |= {"token": token} if token else {}
        answer = await self._calls.post(self._access, "/cgi-bin/kf/sync_msg", body)
        listed = answer.get("msg_list")
        messages = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        given = answer.get("next_cursor")
        return Page(messages, given if isinstance(given, str) and given else cursor, answer.get("has_more") == 1)

    async def nicknames(self, citizens: Sequence[str]) -> Mapping[str, str]:
        """What so many citizens, who wrote in the last two days, call themselves in WeChat (获取客户基础信息).

        An official account is told no nicknames any more; customer service is.
        """
        body = {"external_userid_list": list(citizens[:MOST_ASKED]), "need_enter_session_context": 0}
        answer = await self._calls.post(self._access, "/cgi-bin/kf/customer/batchget", body)
        listed = answer.get("customer_list")
        told = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        named = {str(one.get("external_userid")): one.get("nickname") for one in told}
        return {citizen: name for citizen in citizens if isinstance(name := named.get(citizen), str)}

    async def _fetch_token(self, *, force: bool) -> tuple[str, float]:  # noqa: ARG002 - WeCom knows no force
        """The same one again until it runs out."""
        params = {"corpid": self._settings.corpid, "corpsecret": self._settings.account.secret}
        answer = await self._calls.ask("GET", "/cgi-bin/gettoken", params=params)
        good_s = answer.get("expires_in")
        return text_in(answer, "access_token"), float(good_s) if isinstance(good_s, int | float) else 0.0
