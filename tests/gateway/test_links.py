"""Links to go on elsewhere: sent once, opened once, and nothing lost by one that is stolen, old or played again."""

import base64
import json
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from channels.contract import Channel, ChannelError
from channels.webchat.adapter import WebChatChannel
from channels.webchat.settings import WebChatSettings
from gateway import arrivals
from gateway.links import LINKS_BURST, Known, Links
from queueing.memory import MemoryStore
from session.address import Address
from session.effects import SendLink
from session.events import LegClosed, LegOpened, LinkFailed, LinkOpened, LinkSent, MessageFailed, PlaceKept
from session.identity import AddressesLinked, Person, Proof
from session.ids import LegId, LinkId, PersonId, SessionId
from session.notice import Notice
from session.ports import StoreUnavailable
from session.rules import Rules
from session.state import Failure, LegEnd, Medium, Party, Phase
from session.switch import LinkRefused, Purpose
from storage.files import FileStore
from tests.conftest import Eventually
from tests.gateway.town import CALLS, Device, Post, a_call, links_on, post_on

CLAIM, OTHER = "a" * 32, "b" * 32
SWITCH = SendLink(Purpose.SWITCH)


@dataclass
class Carrier(Device):
    """Texts: keeps the links that it was given to send."""

    links: list[str] = field(default_factory=list)
    templates: frozenset[str] = frozenset({"link", "picture"})

    async def may_notify(self, to: Address, template: str) -> bool:
        return to.scheme == "tel" and template in self.templates

    async def notify(self, to: Address, notice: Notice) -> None:
        await self._note("notify", to, notice.id)
        self.links.append(notice.template.parameters["url"])

    @property
    def token(self) -> str:
        """What stands behind the `#` of the newest."""
        return self.links[-1].partition("#")[2]


class Refused(ChannelError):
    failure = Failure.OPTED_OUT


@dataclass
class Town:
    post: Post
    links: Links
    carrier: Carrier
    page: WebChatChannel
    session: SessionId
    leg: LegId

    async def events(self, kind: type) -> list:  # type: ignore[type-arg] # of any kind of event
        return [one for one in await self.post.events(self.session) if type(one) is kind]

    async def send(self, name: str = "2.0", purpose: Purpose = Purpose.SWITCH) -> str:
        await self.links.send(await self.post.session(self.session), name, SendLink(purpose))
        return self.carrier.token


@pytest.fixture
async def town(memory: MemoryStore, eventually: Eventually, tmp_path: Path) -> AsyncIterator[Town]:
    post = post_on(memory, "a")
    page = WebChatChannel(
        WebChatSettings(arrives_within_s=0.05),
        node=post.id,
        inbox=post.inbox,
        lines=memory.queue,
        shared=memory.shared,
        files=FileStore(tmp_path / "files"),
        timeline=memory.log.read,
        key=b"a key that only tests have, of 32",
        badge=str,
        on_typing=lambda _: None,
    )
    carrier = Carrier("texts", Medium.MESSAGE)
    channels: dict[str, Channel] = {CALLS: post.telephone, carrier.name: carrier, page.name: page}
    async with page:
        admission = await post.inbox.open(a_call())
        await eventually(lambda: post.absorbed(admission.session))
        links = links_on(memory, channels, post.inbox, Rules())
        yield Town(post, links, carrier, page, admission.session, admission.leg)
        await post.mailboxes.stop()


async def test_a_link_is_sent_once_and_says_nothing_but_itself(town: Town) -> None:
    first = await town.send()
    assert await town.send() == first
    (sent,) = await town.events(LinkSent)
    assert (sent.purpose, sent.channel, sent.link) == (Purpose.SWITCH, "texts", "2.0")
    assert re.fullmatch(r"https://hotline\.example/go#[A-Za-z0-9_-]{1,64}", town.carrier.links[-1])
    assert await town.send("2.1") != first


async def test_who_opens_it_is_in_the_session_and_may_ask_again(town: Town, eventually: Eventually) -> None:
    token = await town.send()
    opened = await town.links.open(token, CLAIM)
    assert opened.purpose is Purpose.SWITCH
    assert await town.links.open(token, CLAIM) == opened, "an answer was lost"
    legs = [one.leg for one in await town.events(LegOpened)]
    assert [(leg.medium, leg.party) for leg in legs[1:]] == [(Medium.CHAT, Party.CITIZEN)]
    assert len(await town.events(LinkOpened)) == 1
    await eventually(lambda: town.post.absorbed(town.session))
    assert (await town.post.session(town.session)).phase is Phase.QUEUED


async def test_who_opens_it_is_one_citizen_with_whom_it_was_sent_to(town: Town) -> None:
    bound: list[tuple[Address, Address, SessionId]] = []

    async def bind(sent_to: Address, opened_at: Address, session: SessionId) -> None:
        bound.append((sent_to, opened_at, session))

    town.links.bind = bind
    opened = await town.links.open(await town.send(), CLAIM)
    assert bound == [(Address("tel", "+8613800138000"), opened.visit.address, town.session)]
    with pytest.raises(LinkRefused):
        await town.links.open(town.carrier.token, OTHER)
    assert len(bound) == 1


@dataclass
class Account(Carrier):
    """Messages to those who may be written to."""

    async def may_notify(self, to: Address, template: str) -> bool:
        return to == OPENID and template in self.templates


OPENID, NUMBER, PAGE = Address("wechat", "openid", "appid"), Address("tel", "+8613800138000"), Address("web", "page")


def known_by(*links: tuple[Address, Address, Proof]) -> Known:
    made = tuple(
        AddressesLinked(link=LinkId(f"l{number}"), key=key, holder=holder, proof=proof, at=0.0)
        for number, (key, holder, proof) in enumerate(links)
    )

    async def known(_: Address) -> Person:
        return Person(PersonId("p"), (NUMBER, OPENID, PAGE), made)

    return known


@pytest.fixture
def account(town: Town) -> Account:
    account = Account("account", Medium.MESSAGE)
    town.links._channels = {**town.links._channels, account.name: account}
    town.links._notices._channels = town.links._channels
    return account


async def test_who_is_known_elsewhere_gets_the_link_there(town: Town, account: Account) -> None:
    """The number was proven on a page, and the page's code was scanned by the account's follower."""
    town.links.known = known_by((NUMBER, PAGE, Proof.SMS_CODE), (OPENID, PAGE, Proof.QR_SCAN))
    town.carrier.templates = frozenset()
    assert await town.links.may_send(await town.post.session(town.session), Purpose.SWITCH)
    await town.links.send(await town.post.session(town.session), "2.0", SWITCH)
    assert [one.channel for one in await town.events(LinkSent)] == ["account"]
    await town.links.open(account.token, CLAIM)
    assert town.carrier.links == []


@pytest.mark.parametrize("failure", [None, Refused()])
async def test_where_that_fails_it_goes_to_the_number(
    town: Town, account: Account, failure: Exception | None, eventually: Eventually
) -> None:
    """The window has closed (it is not asked at all), or closes meanwhile: the place is kept all the same."""
    town.links.known = known_by((NUMBER, OPENID, Proof.SMS_CODE))
    account.failure = failure
    account.templates = frozenset({"link"} if failure else ())
    town.post.performer._links = town.links
    await town.post.inbox.post(town.session, PlaceKept(leg=town.leg))
    (sent,) = await eventually(lambda: town.events(LinkSent), deadline_s=15)
    await eventually(lambda: town.post.absorbed(town.session), deadline_s=15)
    assert sent.channel == "texts"
    assert len(await town.events(MessageFailed)) == (failure is not None)
    assert (await town.post.session(town.session)).kept


async def test_an_agents_word_sends_a_link_nowhere(town: Town, account: Account) -> None:
    town.links.known = known_by((NUMBER, OPENID, Proof.AGENT_WORD))
    await town.send()
    assert account.links == []
    assert [one.channel for one in await town.events(LinkSent)] == ["texts"]


async def test_a_link_that_is_played_again_elsewhere_is_refused_and_nothing_lost(town: Town) -> None:
    token = await town.send()
    await town.links.open(token, CLAIM)
    before = await town.post.events(town.session)
    with pytest.raises(LinkRefused) as refused:
        await town.links.open(token, OTHER)
    assert refused.value.why == "used"
    assert await town.post.events(town.session) == before


async def test_a_guessed_link_opens_nothing(town: Town) -> None:
    token = await town.send()
    for forged in ("", "x", token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), secrets.token_urlsafe(42)):
        with pytest.raises(LinkRefused):
            await town.links.open(forged, CLAIM)
    assert len(await town.events(LegOpened)) == 1


async def test_a_link_does_not_outlive_its_matter(town: Town, eventually: Eventually) -> None:
    token = await town.send()
    await town.post.inbox.post(town.session, LegClosed(leg=town.leg, reason=LegEnd.LEFT))
    await eventually(lambda: _phase_is(town, Phase.CLOSED))
    with pytest.raises(LinkRefused) as refused:
        await town.links.open(token, CLAIM)
    assert refused.value.why == "over"


async def _phase_is(town: Town, phase: Phase) -> bool:
    return await town.post.phase(town.session) is phase


async def test_a_link_expires(memory: MemoryStore, town: Town) -> None:
    links = links_on(memory, {"texts": town.carrier}, town.post.inbox, Rules(link_s=0.0))
    await links.send(await town.post.session(town.session), "2.0", SWITCH)
    with pytest.raises(LinkRefused) as refused:
        await town.links.open(town.carrier.token, CLAIM)
    assert refused.value.why == "expired"


@pytest.mark.parametrize(
    ("failure", "templates", "why"),
    [(Refused("x"), {"link"}, "opted_out"), (None, set(), "nowhere")],
)
async def test_what_could_not_be_sent_is_said(
    town: Town, failure: Exception | None, templates: set[str], why: str
) -> None:
    town.carrier.failure, town.carrier.templates = failure, frozenset(templates)
    await town.links.send(await town.post.session(town.session), "2.0", SWITCH)
    (failed,) = await town.events(LinkFailed)
    assert (failed.purpose, failed.reason) == (Purpose.SWITCH, why)
    assert not await town.events(LinkSent)
    assert await town.links.may_send(await town.post.session(town.session), Purpose.SWITCH) is (failure is not None)


async def test_nothing_is_sent_to_a_number_that_nobody_vouches_for(memory: MemoryStore, town: Town) -> None:
    claimed = await town.post.inbox.open(replace(a_call("+8613800138009"), asserted=False))
    session = await town.post.session(claimed.session)
    assert not await town.links.may_send(session, Purpose.SWITCH)
    await town.links.send(session, "2.0", SWITCH)
    assert town.carrier.links == []


async def test_one_session_gets_no_flood_of_links(town: Town) -> None:
    for index in range(LINKS_BURST + 2):
        await town.send(f"2.{index}")
    assert len(await town.events(LinkSent)) == LINKS_BURST
    assert {one.reason for one in await town.events(LinkFailed)} == {"too_often"}


async def test_the_machine_asks_and_the_link_is_sent(memory: MemoryStore, town: Town, eventually: Eventually) -> None:
    """Through the performer, as a key pressed does it; the caller is told once the carrier has it."""
    town.post.performer._links = town.links
    await town.post.inbox.post(town.session, PlaceKept(leg=town.leg))
    await eventually(lambda: town.carrier.links)
    await eventually(lambda: any("place_kept" in str(one) for one in town.post.telephone.of("play")))
    assert (await town.post.session(town.session)).kept


async def test_a_page_that_never_comes_is_away(town: Town, eventually: Eventually) -> None:
    await town.links.open(await town.send(), CLAIM)

    async def is_away() -> bool:
        session = await town.post.session(town.session)
        return any(leg.medium is Medium.CHAT and leg.state == "away" for leg in session.legs)

    await eventually(is_away)


# --- over HTTP -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def server(town: Town, memory: MemoryStore) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(arrivals.routes(town.links, memory.shared))
    async with TestServer(app) as serving:
        yield str(serving.make_url("")).rstrip("/")


async def ask(base: str, body: object, origin: str | None = None) -> tuple[int, dict[str, str]]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{base}/api/go", json=body, headers={"Origin": origin or base}) as answer,
    ):
        return answer.status, await answer.json()


def visitor_of(given: dict[str, str]) -> list[object]:
    """What its token holds but for its end, which is in seconds of the clock."""
    payload = given["visitor"].partition(".")[0]
    return list(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))[1:])


async def test_a_page_is_let_in_once(town: Town, memory: MemoryStore) -> None:
    token = await town.send()
    async with server(town, memory) as base:
        status, given = await ask(base, {"token": token, "claim": CLAIM})
        assert (status, given["purpose"]) == (200, "switch")
        again, same = await ask(base, {"token": token, "claim": CLAIM})
        assert (again, visitor_of(same)) == (200, visitor_of(given)), "whose answer was lost asks again"
        assert await ask(base, {"token": token, "claim": OTHER}) == (409, {"error": "used"})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"token": 1, "claim": CLAIM},
        {"token": "x" * 65, "claim": CLAIM},
        {"token": "x", "claim": "short"},
        {"token": "x", "claim": "字" * 20},
        {"token": "x", "claim": "c" * 2000},
        {"token": {"token": "x"}, "claim": CLAIM},
    ],
)
async def test_what_is_no_request_of_our_page_is_refused(town: Town, memory: MemoryStore, body: object) -> None:
    async with server(town, memory) as base:
        assert await ask(base, body) == (403, {"error": "forged"})


async def test_a_foreign_page_and_a_guesser_are_turned_away(town: Town, memory: MemoryStore) -> None:
    token = await town.send()
    async with server(town, memory) as base:
        foreign = await ask(base, {"token": token, "claim": CLAIM}, origin="https://evil.example")
        assert foreign == (403, {"error": "origin"})
        tries = [(await ask(base, {"token": "x", "claim": CLAIM}))[0] for _ in range(arrivals.TRIES_BURST + 2)]
        assert tries[0] == 403
        assert tries[-1] == 429
    assert len(await town.events(LegOpened)) == 1


async def test_a_store_that_is_away_is_said_so(
    town: Town, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await town.send()

    async def away(*_: object, **__: object) -> bool:
        raise StoreUnavailable("take")

    async with server(town, memory) as base:
        monkeypatch.setattr(memory.shared, "take", away)
        assert (await ask(base, {"token": token, "claim": CLAIM}))[0] == 503
