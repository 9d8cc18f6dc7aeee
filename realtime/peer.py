"""Who stands behind the sockets: what a page is shown and what its commands do. `channels.webchat` and the desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from realtime.link import Link
from realtime.messages import Command, Durable, Ephemeral, Nack


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that is not done. With `retry` the page keeps it and sends it again after `after_s`."""

    code: str
    retry: bool = False
    after_s: float | None = None

    @property
    def text_key(self) -> str:
        """The sentence that the page shows."""
        return f"refused.{self.code}"

    def nack(self, command_id: str, expect: int | None = None) -> Nack:
        """The frame that says so of a command."""
        return Nack(
            id=command_id,
            code=self.code,
            retry=self.retry,
            text_key=self.text_key,
            expect=expect,
            after_s=self.after_s,
        )


class Peer(Protocol):
    """One for all subjects of a kind of socket; `link.subject` tells whose it is.

    None of the methods that are not coroutines may wait; what takes time they start.
    """

    async def snapshot(self, link: Link) -> Durable:
        """All that this new link is to show. What happens once this has returned is for `link.publish`.

        So the peer looks, notes the link, and returns, without waiting in between. Raises `StoreUnavailable`: the
        socket is closed with 1013 and the page tries again.
        """
        ...

    async def command(self, link: Link, command: Command) -> int | Refusal:
        """Do it; returns once it is durable, with the session's version (or 0). The same `id` is done once.

        Commands of one link come one after the other. `StoreUnavailable` and `SessionGone` may be raised.
        """
        ...

    def ephemeral(self, link: Link, frame: Ephemeral) -> None:
        """Typing."""
        ...

    def received(self, link: Link, seq: int) -> None:
        """The page has every durable frame up to `seq`."""
        ...

    def connected(self, link: Link) -> None:
        """A socket serves the link, for the first time or again."""
        ...

    def disconnected(self, link: Link) -> None:
        """The link has no socket; it may be resumed."""
        ...

    def forgotten(self, link: Link) -> None:
        """The link will not come back: nothing is to be published to it any more."""
        ...
