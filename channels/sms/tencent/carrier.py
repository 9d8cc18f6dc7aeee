"""Tencent Cloud as a carrier: templates out, texts and reports in.

Its webhook of a citizen's text has no id and a time in whole seconds: two such texts that are the same cannot be told
from one that came twice, so both are kept and the later is marked.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from yarl import URL

from channels.sms.api import Api
from channels.sms.callback import Callback, Item, text_of
from channels.sms.carrier import Fate, Message, Receipt, Reception, Report, Uplink
from channels.sms.door import Door
from channels.sms.errors import CallRefused, OutcomeUnknown, SubmitDelayed, SubmitRefused, TemplateNeeded
from channels.sms.tencent.signature import CONTENT_TYPE, authorization
from session.notice import Template

_VERSION = "2021-01-11"
_DELAYS = ("LimitExceeded", "RequestLimitExceeded")
_DELAY_S = 30.0
_OPTED_OUT = "FailedOperation.PhoneNumberInBlacklist"


@dataclass(frozen=True, slots=True)
class TencentTemplate:
    """A reviewed template: its parameters have numbers, not names, so ours are put in this order."""

    id: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TencentSettings:
    """Times in seconds."""

    secret_id: str
    secret_key: str = field(repr=False)
    app: str
    """SmsSdkAppId."""
    signature: str
    """SignName (短信签名)."""
    templates: Mapping[str, TencentTemplate]
    """By our name."""
    door: Door
    region: str = "ap-guangzhou"
    url: str = "https://sms.tencentcloudapi.com"
    answer_within_s: float = 3.0
    timeout_s: float = 10.0


class TencentCarrier:
    """One application."""

    def __init__(self, settings: TencentSettings, *, name: str = "tencent") -> None:
        self.name = name
        self.templates: frozenset[str] | None = frozenset(settings.templates)
        self._settings = settings
        self._api = Api(name, timeout_s=settings.timeout_s)
        self._reception: Reception | None = None
        thanks = {"result": 0, "errmsg": "OK"}
        self._callback = Callback(name, settings.door, settings.answer_within_s, thanks)

    def routes(self) -> Sequence[web.RouteDef]:
        """Texts, and reports."""
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
        """SendSms, to one number."""
        settings, template = self._settings, message.template
        if template is None or template.name not in settings.templates:
            raise TemplateNeeded(self.name, template.name if template else "")
        reviewed = settings.templates[template.name]
        body = json.dumps(
            {
                "PhoneNumberSet": [message.to],
                "SmsSdkAppId": settings.app,
                "SignName": settings.signature,
                "TemplateId": reviewed.id,
                "TemplateParamSet": _in_order(template, reviewed, self.name),
                "SessionContext": message.key,
            }
        ).encode()
        timestamp, host = int(time.time()), URL(settings.url).authority
        headers = {
            "Authorization": authorization(
                key=(settings.secret_id, settings.secret_key),
                service="sms",
                host=host,
                timestamp=timestamp,
                body=body,
            ),
            "Content-Type": CONTENT_TYPE,
            "Host": host,
            "X-TC-Action": "SendSms",
            "X-TC-Timestamp": str(timestamp),
            "X-TC-Version": _VERSION,
            "X-TC-Region": settings.region,
        }
        _, answer = await self._api.post(f"{settings.url}/", body, headers, _DELAY_S)
        return self._receipt(answer)

    def _receipt(self, answer: Mapping[str, Any]) -> Receipt:
        response = answer.get("Response")
        if not isinstance(response, dict):
            raise OutcomeUnknown(self.name)
        statuses = response.get("SendStatusSet") or [response.get("Error")]
        status = statuses[0] if isinstance(statuses, list) and isinstance(statuses[0], dict) else {}
        code = str(status.get("Code", ""))
        if code == "Ok":
            return Receipt((str(status.get("SerialNo", "")),))
        if code.startswith(_DELAYS):
            raise SubmitDelayed(self.name, code, _DELAY_S)
        if not code or code.startswith("InternalError"):
            raise OutcomeUnknown(self.name)
        raise SubmitRefused(self.name, code, opted_out=code == _OPTED_OUT)

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _texts(self, request: web.Request) -> web.Response:
        return await self._callback.answer(request, "mobile", self._text)

    async def _reports(self, request: web.Request) -> web.Response:
        return await self._callback.answer(request, "mobile", self._report)

    async def _text(self, item: Item) -> None:
        sender = f"+{text_of(item, 'nationcode').lstrip('+')}{text_of(item, 'mobile')}"
        text, extension = text_of(item, "text"), str(item.get("extend") or "")
        fields = (sender, str(item.get("time", "")), extension, str(item.get("sign", "")), text)
        await self._open().text(
            Uplink(
                carrier=self.name,
                id="",
                fingerprint="\n".join(fields),
                sender=sender,
                recipient=extension,
                text=text,
                vouched=True,
            )
        )

    async def _report(self, item: Item) -> None:
        fate = Fate.DELIVERED if text_of(item, "report_status") == "SUCCESS" else Fate.FAILED
        await self._open().report(Report(self.name, text_of(item, "sid"), fate, str(item.get("errmsg", ""))))

    def _open(self) -> Reception:
        if self._reception is None:
            raise CallRefused(503, "closed")
        return self._reception


def _in_order(template: Template, reviewed: TencentTemplate, carrier: str) -> list[str]:
    missing = [name for name in reviewed.parameters if name not in template.parameters]
    if missing:
        raise TemplateNeeded(carrier, template.name)
    return [template.parameters[name] for name in reviewed.parameters]
