"""What a carrier (运营商, 短信平台) is to the channel, and what passes between them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from aiohttp import web

from channels.sms.coding import Coding
from channels.sms.header import Place
from session.notice import Template


@dataclass(frozen=True, slots=True)
class Media:
    """A file that came with a message, to be fetched."""

    content_type: str
    """As the carrier says."""
    chunks: Callable[[], AsyncGenerator[bytes, None]]
    """Fetches it. Raises `MediaRefused`, `MediaAway`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """A citizen's text (上行短信), whole."""

    carrier: str
    id: str
    """The carrier's own. Empty where it gives none: then two texts that look alike cannot be told apart."""
    sender: str
    recipient: str
    text: str
    vouched: bool
    """The carrier stands for the sender's number."""
    fingerprint: str = ""
    """Where there is no `id`: all that the carrier says of the text."""
    media: tuple[Media, ...] = ()
    wishes: Wish | None = None
    """What the carrier itself has understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a citizen's long text."""

    carrier: str
    id: str
    sender: str
    recipient: str
    vouched: bool
    place: Place
    octets: bytes
    coding: Coding


class Wish(StrEnum):
    """What a citizen says about notices."""

    STOP = "stop"
    START = "start"


class Fate(StrEnum):
    """What became of a message, as its carrier reports."""

    ON_ITS_WAY = "on_its_way"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Report:
    """A status report (状态报告)."""

    carrier: str
    id: str
    """As in `Receipt.ids`."""
    fate: Fate
    code: str = ""
    opted_out: bool = False
    """It failed because the citizen has told the carrier that they want nothing."""


class Reception(Protocol):
    """Where a carrier brings what comes in. Each returns only once it is durable; only then is it acknowledged.

    All raise `StoreUnavailable`, and `SmsError`s that are `retryable`: then nothing is acknowledged.
    """

    async def text(self, uplink: Uplink) -> None:
        """A whole text."""
        ...

    async def part(self, part: Part) -> None:
        """One part of a long text."""
        ...

    async def report(self, report: Report) -> None:
        """What became of a message."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to a citizen (下行短信)."""

    key: str
    """Names it to the carrier; no personal data."""
    to: str
    """E.164."""
    text: str
    template: Template | None = None
    """Where a carrier takes nothing else; `text` is the same in full."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A carrier has the message. One id for each of its segments that is reported on."""

    ids: tuple[str, ...]


class Carrier(Protocol):
    """One way to send and receive text messages."""

    @property
    def name(self) -> str:
        """As in the settings."""
        ...

    @property
    def templates(self) -> frozenset[str] | None:
        """The only templates that it sends; None where it sends any text."""
        ...

    def routes(self) -> Sequence[web.RouteDef]:
        """Its webhooks."""
        ...

    def serving(self, reception: Reception) -> AbstractAsyncContextManager[None]:
        """Bring what comes in to `reception` while this is entered."""
        ...

    async def submit(self, message: Message) -> Receipt:
        """Hand a message over.

        Raises `SubmitRefused`, `SubmitDelayed` (certainly not sent), `OutcomeUnknown` (perhaps sent).
        """
        ...
