"""A site signs who its visitor is: their agent sees it proven, and they are one citizen whatever the browser."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Eventually
from tests.gateway.living import Living, living
from tests.peers.pages import CitizenPage, DeskPage
from tests.peers.site import SETTINGS, token


@pytest.fixture
async def town(valkey_url: str, tmp_path: Path) -> AsyncIterator[Living]:
    async with living(
        valkey_url, tmp_path, **{key.replace(".", "__"): value for key, value in SETTINGS.items()}
    ) as one:
        yield one


@pytest.fixture
async def people(town: Living) -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def browser(town: Living, people: AsyncExitStack) -> CitizenPage:
    page = await people.enter_async_context(CitizenPage(town.http))
    await page.open(15)
    return page


async def identify(page: CitizenPage, text: str) -> tuple[int, dict[str, Any]]:
    url = f"{page.servers[0]}/api/webchat/verify/signed"
    async with page.http.post(url, json={"token": text}, headers={"X-Visitor": page.visitor or ""}) as answer:
        return answer.status, dict(await answer.json())


async def taken(desk: DeskPage, *known: str) -> str:
    """The next session, accepted."""
    offer = await desk.until(lambda one: one["t"] == "offer.new" and one["session"] not in known, 15, "offer")
    await desk.accept(offer)
    await desk.saw("contact.state", 15, session=offer["session"], phase="active")
    return str(offer["session"])


async def person(desk: DeskPage, session: str) -> dict[str, Any]:
    return dict(json.loads(await desk.get(f"/api/sessions/{session}/person")))


async def test_one_user_of_the_site_is_one_citizen_whatever_the_browser(
    town: Living, people: AsyncExitStack, eventually: Eventually
) -> None:
    desk = await people.enter_async_context(town.desk("8001"))
    await desk.open(15)
    await desk.make_ready()

    first = await browser(town, people)
    assert await identify(first, token("user-42")) == (200, {})
    await first.write("路灯坏了")
    session = await taken(desk)
    shown = await person(desk, session)
    assert [one["address"].split()[0] for one in shown["addresses"]] == ["site", "web"]
    (link,) = shown["addresses"][1]["links"]
    assert (link["proof"], link["confidence"], link["with"]) == ("signed_web", 0.95, "site r-42")
    assert link["at"] > 0

    second = await browser(town, people)
    assert await identify(second, token("user-42")) == (200, {})
    assert await identify(second, token("user-42")) == (200, {}), "at each opening of a page anew"
    await second.write("我换了电脑")
    await eventually(lambda: "我换了电脑" in desk.texts(session), deadline_s=15)
    await eventually(lambda: "我换了电脑" in first.texts(), deadline_s=15)

    stranger = await browser(town, people)
    assert await identify(stranger, token("user-43")) == (200, {})
    await stranger.write("我是另一个人")
    other = await taken(desk, session)
    assert len((await person(desk, other))["addresses"]) == 2

    await desk.command("contact.finish", session=session)
    await desk.command("wrap.save", session=session, kind="咨询", note="")
    await desk.saw("contact.gone", 15, session=session)
    third = await browser(town, people)
    assert await identify(third, token("user-42")) == (200, {})
    await third.write("路灯修好了吗")
    again = await taken(desk, session, other)

    async def earlier() -> bool:
        entries = json.loads(await desk.get(f"/api/sessions/{again}/person/timeline"))["entries"]
        return "路灯坏了" in [one["entry"].get("text") for one in entries]

    await eventually(earlier, deadline_s=15)


async def test_a_word_that_is_worth_nothing_leaves_the_chat_as_it_was(
    town: Living, people: AsyncExitStack, eventually: Eventually
) -> None:
    desk = await people.enter_async_context(town.desk("8001"))
    await desk.open(15)
    await desk.make_ready()
    owner, thief = await browser(town, people), await browser(town, people)
    good = token("user-42")
    assert await identify(owner, good) == (200, {})
    assert await identify(owner, good) == (200, {}), "the answer may have been lost"
    assert await identify(thief, good) == (422, {"error": "token_used"})
    assert await identify(thief, token("user-42", aud="another-hotline")) == (422, {"error": "token_audience"})
    assert await identify(thief, "") == (400, {"error": "malformed"})
    assert await identify(thief, "x" * 9000) == (400, {"error": "malformed"})
    thief.visitor, kept = "nobody", thief.visitor
    assert await identify(thief, token("user-42")) == (401, {"error": "visitor"})
    thief.visitor = kept
    await thief.write("我自称是 42 号")
    session = await taken(desk)
    (alone,) = (await person(desk, session))["addresses"]
    assert alone["address"].split()[0] == "web"
    assert not alone["vouched"], "no network vouches for a page: that is said of numbers"

    # Somebody else logs in to the site in a browser that was another user's: their matters are not made one.
    next_one = token("user-44")
    assert await identify(owner, next_one) == (422, {"error": "another_user"})
    anew = await browser(town, people)
    assert await identify(anew, next_one) == (200, {}), "the page begins anew with the same token"

    for _ in range(20):
        status, refusal = await identify(thief, "a.b.c")
        if status == 429:
            break
    assert (status, refusal) == (429, {"error": "rate"})
