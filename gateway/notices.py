"""Notices to citizens (通知): which channel brings one to an address, and how it stands in the session's timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from channels.contract import Channel, ChannelError, Notifies, failed
from session.address import Address
from session.errors import YihaoError
from session.events import NoticeSent
from session.ids import AssigneeId
from session.notice import Notice
from session.ports import Inbox


class NobodyReaches(YihaoError):
    """No channel has a way to the address for such a notice."""

    def __init__(self, scheme: str, template: str) -> None:
        self.scheme, self.template = scheme, template
        super().__init__(f"no channel brings {template!r} to an address of {scheme!r}")


class Notices:
    """Of one node. Any node may send: what a channel needs for it is in the store."""

    def __init__(self, channels: Mapping[str, Channel], inbox: Inbox) -> None:
        """`channels` may be filled later; what is not there has no way."""
        self._channels, self._inbox = channels, inbox

    async def ways(self, to: Address, template: str) -> list[str]:
        """The channels that have a way to an address now. Raises `StoreUnavailable`."""
        return [channel.name for channel, notifies in self._notifying() if await notifies.may_notify(to, template)]

    async def tell(self, to: Address, notice: Notice, *, by: AssigneeId | None = None, channel: str = "") -> str:
        """Send a notice, by the channel that is named or the first that has a way; gives its name.

        It stands in the notice's session, and so does what becomes of it. The same `notice.id` is sent once. Raises
        `NobodyReaches`, `ChannelError` (`retryable` tells whether the same may be asked again later) and
        `StoreUnavailable`.
        """
        for candidate, notifies in self._notifying():
            is_wanted = candidate.name == channel if channel else True
            if is_wanted and await notifies.may_notify(to, notice.template.name):
                await self._send(candidate.name, notifies, to, notice, by)
                return candidate.name
        raise NobodyReaches(to.scheme, notice.template.name)

    async def _send(self, name: str, notifies: Notifies, to: Address, notice: Notice, by: AssigneeId | None) -> None:
        session = notice.session
        if session is None:
            await notifies.notify(to, notice)
            return
        sent = NoticeSent(message=notice.id, channel=name, template=notice.template.name, by=by)
        await self._inbox.post(session, sent, dedupe=f"notice:{notice.id}")
        try:
            await notifies.notify(to, notice)
        except ChannelError as error:
            event, dedupe = failed(name, notice.id, error.failure, error.code)
            await self._inbox.post(session, event, dedupe=dedupe)
            raise

    def _notifying(self) -> Iterator[tuple[Channel, Notifies]]:
        return ((channel, channel) for channel in list(self._channels.values()) if isinstance(channel, Notifies))
