"""Who a citizen is, on both pages: the citizen's part opens when it is wanted, the agent's says what is proven."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.peers.browser import MOBILE
from tests.peers.looks import Album, breaches, held_up_by, no, shifted, sideways_px
from tests.peers.ports import free_pair
from tests.peers.site import SETTINGS, Portal, token
from tests.peers.words import Language
from tests.peers.yihao import Yihao
from tests.web.test_pages import OpensWindow, log_in


@pytest.fixture(scope="module")
def site_port() -> int:
    return free_pair()


@pytest.fixture(scope="module")
def gateway(site_port: int) -> Iterator[Yihao]:
    """One that knows a site."""
    sets = {**SETTINGS, "http.origins": json.dumps([f"http://127.0.0.1:{site_port}"])}
    with tempfile.TemporaryDirectory(prefix="yh-") as folder:
        yihao = Yihao(Path(folder) / "data", sets)
        asyncio.run(yihao.start())
        yield yihao
        asyncio.run(yihao.__aexit__())


@pytest.fixture
async def portal(gateway: Yihao, site_port: int) -> AsyncIterator[Portal]:
    async with Portal(gateway.http, site_port) as site:
        yield site


@pytest.mark.parametrize("size", ["normal", "largest"])
async def test_proving_a_number_is_open_to_all(gateway: Yihao, window: OpensWindow, size: str, screens: Album) -> None:
    citizen = await window(gateway.http, MOBILE)
    await citizen.sees(".welcome")
    await citizen.click(f".size-{size}")
    await citizen.click(".proof-door summary")
    await citizen.sees(".proof input[type=tel]")
    assert no(await breaches(citizen))
    assert await sideways_px(citizen) <= 0
    await citizen.write(".proof input[type=tel]", "110")
    await citizen.click(".proof .act-main")
    assert await citizen.sees(".proof [role=status]") == citizen.words("widget.proof.bad_number")
    await citizen.click(".proof > .act")
    await citizen.sees(f".proof [role=status]{citizen.says('widget.proof.no_code')}")
    assert no(await breaches(citizen))
    await screens.shows(citizen, f"citizen-proof-{size}")
    assert citizen.complaints == [one for one in citizen.complaints if "422" in one], "refusals, and nothing else"


async def test_the_desk_says_who_the_citizen_is(gateway: Yihao, window: OpensWindow, screens: Album) -> None:
    desk = await window(f"{gateway.http}/desk")
    await log_in(desk, gateway, "8001")
    await desk.click(".presence")
    await desk.click(".el-dropdown-menu__item >> nth=0")
    citizen = await window(gateway.http)
    await citizen.sees(".welcome")
    await citizen.write(".composer textarea", "请查一下我的诉求")
    await citizen.click(".composer .send")
    await desk.click(".offer .el-button--primary")
    await desk.sees(".person .addresses")
    assert desk.words("person.here") in await desk.sees(".person .addresses li")
    await desk.click(".person details >> nth=0")
    await desk.write(".person input[inputmode=tel]", "13800138000")
    await desk.write(".person input[maxlength='200']", "身份证号一致")
    assert no(await breaches(desk))
    await desk.click(f"button{desk.says('person.word')}")
    await desk.sees(".person .tag-green")
    assert "138****8000" in await desk.sees(".person .addresses")
    await desk.click(".person details >> nth=1")
    await desk.write(".person details >> nth=1 >> input", "回电核对")
    await desk.click(".person details >> nth=1 >> button")
    await desk.sees(".person .addresses:has-text('+8613800138000')")
    await desk.click(".person details >> nth=1")
    assert "70%" in await desk.sees(".person .proof")
    await screens.shows(desk, "desk-person")
    await desk.click(".person .quiet >> nth=0")
    await desk.write(".person .proof input", "认错人")
    await desk.click(".person .el-button--danger")
    await desk.sees_no(".person .tag-green")
    await desk.click(".talk .acts .el-button--danger")
    await desk.click(".el-popconfirm .el-button--primary")


async def test_a_site_says_who_its_visitor_is(
    gateway: Yihao, portal: Portal, window: OpensWindow, language: Language, eventually: Eventually, screens: Album
) -> None:
    """By an attribute, then by a call; refused, the chat goes on; and who logs in next begins a talk of their own."""
    portal.token, portal.language = token("user-42"), language
    host = await window(portal.http)
    await host.sees(f"button{host.says('widget.loader.label')}")
    assert (await held_up_by(host), await shifted(host)) == ([], 0), "the site is drawn as if the chat were not there"
    assert host.asked == [portal.http, portal.script], "one file, until it is opened"
    heard: list[object] = []

    async def hears(error: str | None) -> None:
        heard.append(error)
        await eventually(lambda: host.evaluate(f"heard.length === {len(heard)}"), deadline_s=15)
        assert await host.evaluate("heard") == heard

    await host.sees(f"button{host.says('widget.loader.label')}")
    await screens.shows(host, "site-closed")
    await host.click(f"button{host.says('widget.loader.label')}")
    await hears(None)
    talk = host.within("iframe")
    await talk.sees(".welcome")
    await screens.shows(host, "site-open")
    await talk.write(".composer textarea", "路灯坏了")
    await talk.click(".composer .send")
    await talk.sees(".bubble-citizen:has-text('路灯坏了')")
    await host.evaluate(f"Yihao.identify('{token('user-42', exp=1)}')")
    await hears("token_life")
    await talk.sees(".bubble-citizen:has-text('路灯坏了')")
    await host.evaluate(f"Yihao.identify('{token('user-43')}')")
    await hears(None)
    await talk.sees(".welcome")
    assert await talk.count(".bubble-citizen") == 0
    await talk.write(".composer textarea", "这是另一位市民")
    await talk.click(".composer .send")
    await talk.sees(".bubble-citizen:has-text('这是另一位市民')")
    await host.evaluate("Yihao.identify('')")
    await talk.sees(".welcome")
    assert host.complaints == [one for one in host.complaints if "422" in one], "refusals, and nothing else"
