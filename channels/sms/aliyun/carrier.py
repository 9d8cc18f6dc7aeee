"""Aliyun as a carrier: templates out, texts and reports in.

It repeats a webhook that is not answered within 700 ms, signs none, and sends nothing but reviewed templates.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from yarl import URL

from channels.sms.aliyun.signature import query_of, signed
from channels.sms.api import Api
from channels.sms.callback import Callback, Item, text_of
from channels.sms.carrier import Fate, Message, Receipt, Reception, Report, Uplink
from channels.sms.door import Door
from channels.sms.errors import CallRefused, OutcomeUnknown, SubmitDelayed, SubmitRefused, TemplateNeeded
from session.number import national

_VERSION = "2017-05-25"
_DELAYS = ("Throttling", "isv.BUSINESS_LIMIT_CONTROL", "ServiceUnavailable")
_DELAY_S = 60.0
"""A number may get one code a minute, so an earlier try is in vain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AliyunSettings:
    """Times in seconds."""

    key_id: str
    key_secret: str = field(repr=False)
    signature: str
    """SignName (短信签名), reviewed like a template."""
    templates: Mapping[str, str]
    """TemplateCode by our name. Their `${parameters}` are called as ours are."""
    door: Door
    url: str = "https://dysmsapi.aliyuncs.com"
    answer_within_s: float = 0.6
    timeout_s: float = 10.0


class AliyunCarrier:
    """One account."""

    def __init__(self, settings: AliyunSettings, *, name: str = "aliyun") -> None:
        self.name = name
        self.templates: frozenset[str] | None = frozenset(settings.templates)
        self._settings = settings
        self._api = Api(name, timeout_s=settings.timeout_s)
        self._reception: Reception | None = None
        thanks = {"code": 0, "msg": "成功"}
        self._callback = Callback(name, settings.door, settings.answer_within_s, thanks)

    def routes(self) -> Sequence[web.RouteDef]:
        """SmsUp and SmsReport."""
        path = f"/api/sms/{self.name}/{{secret}}"
        return [web.post(f"{path}/up", self._texts), web.post(f"{path}/report", self._reports)]

    @asynccontextmanager
    async def serving(self, reception: Reception) -> AsyncIterator[None]:
        """Webhooks are answered while entered."""
        async with self._api.serving():
            self._reception = reception
            try:
                yield
            finally:
                self._reception = None

    # --- sending ------------------------------------------------------------------------------------------------------

    async def submit(self, message: Message) -> Receipt:
        """SendSms. It knows no idempotency ("不支持幂等"), so an answer that is lost stays lost."""
        settings, template = self._settings, message.template
        if template is None or template.name not in settings.templates:
            raise TemplateNeeded(self.name, template.name if template else "")
        query = query_of(
            {
                "PhoneNumbers": national(message.to),
                "SignName": settings.signature,
                "TemplateCode": settings.templates[template.name],
                "TemplateParam": json.dumps(dict(template.parameters), ensure_ascii=False),
                "OutId": message.key,
            }
        )
        headers = signed(
            key=(settings.key_id, settings.key_secret),
            host=URL(settings.url).authority,
            action="SendSms",
            version=_VERSION,
            query=query,
            date=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            nonce=secrets.token_hex(16),
        )
        status, answer = await self._api.post(f"{settings.url}/?{query}", b"", headers, _DELAY_S)
        return self._receipt(status, answer)

    def _receipt(self, status: int, answer: Mapping[str, object]) -> Receipt:
        code = str(answer.get("Code", ""))
        if code == "OK":
            return Receipt((str(answer.get("BizId", "")),))
        if code.startswith(_DELAYS):
            raise SubmitDelayed(self.name, code, _DELAY_S)
        if not code or status >= 500:
            raise OutcomeUnknown(self.name)
        raise SubmitRefused(self.name, code)

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _texts(self, request: web.Request) -> web.Response:
        return await self._callback.answer(request, "phone_number", self._text)

    async def _reports(self, request: web.Request) -> web.Response:
        return await self._callback.answer(request, "phone_number", self._report)

    async def _text(self, item: Item) -> None:
        """SmsUp. There is no BizId on it: it is no answer to any one message of ours."""
        sender, sequence = text_of(item, "phone_number"), str(item.get("sequence_id") or "")
        text, sent_at, extension = (
            text_of(item, "content"),
            str(item.get("send_time", "")),
            str(item.get("dest_code", "")),
        )
        await self._open().text(
            Uplink(
                carrier=self.name,
                id=f"{sequence}/{sender}" if sequence else "",
                fingerprint=f"{sender}\n{sent_at}\n{extension}\n{text}",
                sender=sender,
                recipient=extension,
                text=text,
                vouched=True,
            )
        )

    async def _report(self, item: Item) -> None:
        fate = Fate.DELIVERED if item["success"] is True else Fate.FAILED
        await self._open().report(Report(self.name, text_of(item, "biz_id"), fate, str(item.get("err_code", ""))))

    def _open(self) -> Reception:
        if self._reception is None:
            raise CallRefused(503, "closed")
        return self._reception
