"""Notices to citizens who may not be written to, or who have no leg here (模板消息、订阅通知).

While their last word or act allows messages, a notice goes as a common one; else as a template that WeChat has
reviewed, which counts against no budget but reaches only those who subscribed to it or follow a service account.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from channels.wechat.budget import Budget
from channels.wechat.calls import Json
from channels.wechat.errors import BudgetSpent, NotReviewed, WindowClosed
from channels.wechat.outbox import Outbox
from channels.wechat.settings import Reviewed, WeChatSettings
from session.address import Address
from session.notice import Notice, Template, rendered

SendReviewed = Callable[[str, str, Json, str], Awaitable[None]]
"""Brings a reviewed template to a citizen: openid, path of the call, body, name."""


class Notices:
    """Of one account."""

    def __init__(
        self,
        settings: WeChatSettings,
        scheme: str,
        budget: Budget,
        outbox: Outbox,
        send_reviewed: SendReviewed | None = None,
    ) -> None:
        """Without `send_reviewed` there are no templates, whatever the settings say."""
        self._settings, self._scheme = settings, scheme
        self._budget, self._outbox, self._send_reviewed = budget, outbox, send_reviewed

    async def may_send(self, to: Address, template: str) -> bool:
        """See `Notifies`."""
        if not self._is_ours(to):
            return False
        if self._send_reviewed is not None and template in self._settings.reviewed:
            return True
        return template in self._settings.words and await self._budget.left(to.identifier) > 0

    async def send(self, to: Address, notice: Notice) -> None:
        """See `Notifies`. Raises `NotReviewed` besides what sending raises."""
        if not self._is_ours(to):
            raise NotReviewed(notice.template.name)
        text = rendered(self._settings.words, notice.template)
        if text is None:
            await self._send_template(to.identifier, notice)
            return
        try:
            await self._outbox.say(to.identifier, notice.session, notice.id, text)
        except (BudgetSpent, WindowClosed):
            if notice.template.name not in self._settings.reviewed:
                raise
            await self._send_template(to.identifier, notice)

    async def _send_template(self, openid: str, notice: Notice) -> None:
        send, reviewed = self._send_reviewed, self._settings.reviewed.get(notice.template.name)
        if send is None or reviewed is None:
            raise NotReviewed(notice.template.name)
        body = _body(reviewed, notice.template)
        await self._outbox.once(notice.session, notice.id, lambda name: send(openid, reviewed.path, body, name))

    def _is_ours(self, to: Address) -> bool:
        return to.scheme == self._scheme and to.account == self._settings.appid


def _body(reviewed: Reviewed, template: Template) -> Json:
    """Its fields, filled from our parameters. Raises `NotReviewed` where one is missing."""
    parameters = template.parameters
    if any(ours not in parameters for ours in reviewed.fields.values()):
        raise NotReviewed(template.name)
    data = {theirs: {"value": parameters[ours][: _longest(theirs)]} for theirs, ours in reviewed.fields.items()}
    link = {reviewed.link_field: parameters["url"]} if "url" in parameters else {}
    return {"template_id": reviewed.id, "data": data, **link}


def _longest(field: str) -> int:
    """How much a field takes; a longer one is refused whole (订阅消息参数值内容限制说明)."""
    kinds = {"thing": 20, "character_string": 32, "phrase": 5, "name": 10, "number": 32, "time": 32, "date": 32}
    return kinds.get(field.rstrip("0123456789"), 200)
