"""Twilio as a carrier: texts, pictures and status callbacks in, texts out.

Messages go by a call of our own: the SDK's asynchronous client ignores its timeout and has to be built within a loop
and closed (issues 925, 866), and what it adds here is one POST.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlencode

from aiohttp import encode_basic_auth, web
from multidict import MultiDict

from channels.deadline import Deadline
from channels.sms.api import Api
from channels.sms.carrier import Fate, Media, Message, Receipt, Reception, Report, Uplink, Wish
from channels.sms.door import bounded_body
from channels.sms.errors import CallRefused, OutcomeUnknown, SubmitDelayed, SubmitRefused
from channels.sms.media import MediaFetch
from channels.sms.twilio.settings import TwilioSettings
from channels.sms.twilio.signature import proven
from session.errors import YihaoError

log = logging.getLogger(__name__)

_MOST_MEDIA = 10
_FATES = {
    "delivered": Fate.DELIVERED,
    "read": Fate.DELIVERED,
    "undelivered": Fate.FAILED,
    "failed": Fate.FAILED,
    "canceled": Fate.FAILED,
}
_WISHES = {"STOP": Wish.STOP, "START": Wish.START}
_OPTED_OUT = "21610"
_DELAYS = frozenset({"20429", "30001"})
"""Too many requests; the account's queue is full."""
_DELAY_S = 10.0
_EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response/>'

Bring = Callable[[MultiDict[str], Reception], Awaitable[None]]


class TwilioCarrier:
    """One account."""

    templates: frozenset[str] | None = None

    def __init__(self, settings: TwilioSettings, *, name: str = "twilio") -> None:
        self.name = name
        self._settings = settings
        self._deadline = Deadline(settings.answer_within_s)
        self._api = Api(name, timeout_s=settings.timeout_s)
        self._authorization = {"Authorization": encode_basic_auth(settings.account, settings.tokens[0])}
        self._fetch = MediaFetch(settings.media, self._authorization)
        self._reception: Reception | None = None

    def routes(self) -> Sequence[web.RouteDef]:
        """Incoming messages, and status callbacks."""
        return [
            web.post(f"/api/sms/{self.name}/up", self._texts),
            web.post(self._callback_path, self._reports),
        ]

    @property
    def _callback_path(self) -> str:
        return f"/api/sms/{self.name}/report"

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
        """Messages.create. Twilio cuts long texts itself, and reports on the whole."""
        settings = self._settings
        body = urlencode(
            {
                "To": message.to,
                "MessagingServiceSid" if settings.sender.startswith("MG") else "From": settings.sender,
                "StatusCallback": settings.public_url.rstrip("/") + self._callback_path,
                **self._content(message),
            }
        )
        headers = {**self._authorization, "Content-Type": "application/x-www-form-urlencoded"}
        url = f"{settings.url}/2010-04-01/Accounts/{settings.account}/Messages.json"
        status, answer = await self._api.post(url, body.encode(), headers, _DELAY_S)
        return self._receipt(status, answer)

    def _content(self, message: Message) -> Mapping[str, str]:
        template = message.template
        if template is None or template.name not in self._settings.contents:
            return {"Body": message.text}
        variables = json.dumps(dict(template.parameters), ensure_ascii=False)
        return {"ContentSid": self._settings.contents[template.name], "ContentVariables": variables}

    def _receipt(self, status: int, answer: Mapping[str, object]) -> Receipt:
        sid, code = answer.get("sid"), str(answer.get("code") or status)
        if status == 201 and isinstance(sid, str) and sid:
            return Receipt((sid,))
        if code in _DELAYS:
            raise SubmitDelayed(self.name, code, _DELAY_S)
        if 400 <= status < 500:
            raise SubmitRefused(self.name, code, opted_out=code == _OPTED_OUT)
        raise OutcomeUnknown(self.name)

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _texts(self, request: web.Request) -> web.Response:
        return await self._answer(request, self._text)

    async def _reports(self, request: web.Request) -> web.Response:
        return await self._answer(request, self._report)

    async def _answer(self, request: web.Request, bring: Bring) -> web.Response:
        """Anything but 200 sends Twilio to the fallback URL, which should be another node's."""
        try:
            body = await bounded_body(request)
            fields = proven(self._settings, request.raw_path, request.headers, request.content_type, body)
            with self._deadline.begin():
                await bring(fields, self._open())
        except CallRefused as refused:
            return web.json_response({"error": refused.why}, status=refused.status)
        except (YihaoError, TimeoutError) as error:
            log.warning("sms webhook put off", extra={"carrier": self.name, "why": type(error).__name__})
            return web.json_response({"error": "not accepted yet"}, status=503, headers={"Retry-After": "5"})
        return web.Response(text=_EMPTY_TWIML, content_type="text/xml")

    def _open(self) -> Reception:
        if self._reception is None:
            raise CallRefused(503, "closed")
        return self._reception

    async def _text(self, fields: MultiDict[str], reception: Reception) -> None:
        await reception.text(
            Uplink(
                carrier=self.name,
                id=_field(fields, "MessageSid"),
                sender=_field(fields, "From"),
                recipient=fields.get("To", ""),
                text=fields.get("Body", ""),
                vouched=self._settings.vouched,
                media=tuple(self._media(fields)),
                wishes=_WISHES.get(fields.get("OptOutType", "")),
            )
        )

    def _media(self, fields: MultiDict[str]) -> Iterator[Media]:
        """Numbered without a gap."""
        for number in range(_MOST_MEDIA):
            url = fields.get(f"MediaUrl{number}")
            if not url:
                return
            yield Media(fields.get(f"MediaContentType{number}", ""), partial(self._fetch.chunks, url))

    async def _report(self, fields: MultiDict[str], reception: Reception) -> None:
        code = fields.get("ErrorCode", "")
        await reception.report(
            Report(
                self.name,
                _field(fields, "MessageSid"),
                _FATES.get(fields.get("MessageStatus", ""), Fate.ON_ITS_WAY),
                code,
                opted_out=code == _OPTED_OUT,
            )
        )


def _field(fields: MultiDict[str], name: str) -> str:
    value = fields.get(name, "")
    if not value:
        raise CallRefused(400, f"no {name}")
    return value
