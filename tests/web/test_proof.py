"""Who a citizen is, on both pages: the citizen's part opens when it is wanted, the agent's says what is proven."""

import pytest

from tests.peers.browser import MOBILE
from tests.peers.yihao import Yihao
from tests.web.test_pages import OpensWindow, breaches, log_in, no, sideways_px


@pytest.mark.parametrize("size", ["normal", "largest"])
async def test_proving_a_number_is_open_to_all(gateway: Yihao, window: OpensWindow, size: str) -> None:
    citizen = await window(gateway.http, MOBILE)
    await citizen.sees(".welcome")
    await citizen.click(f".size-{size}")
    await citizen.click(".proof-door summary")
    await citizen.sees(".proof input[type=tel]")
    assert no(await breaches(citizen))
    assert await sideways_px(citizen) <= 0
    await citizen.write(".proof input[type=tel]", "110")
    await citizen.click(".proof .act-main")
    assert await citizen.sees(".proof [role=status]") == "这不是能收短信的手机号。"
    await citizen.click(".proof > .act")
    assert "不能用微信核验" in await citizen.sees("text=现在不能用微信核验")
    assert no(await breaches(citizen))
    assert citizen.complaints == [one for one in citizen.complaints if "422" in one], "refusals, and nothing else"


async def test_the_desk_says_who_the_citizen_is(gateway: Yihao, window: OpensWindow) -> None:
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
    assert "本次" in await desk.sees(".person .addresses li")
    await desk.click(".person details >> nth=0")
    await desk.write(".person input[inputmode=tel]", "13800138000")
    await desk.write(".person input[maxlength='200']", "身份证号一致")
    assert no(await breaches(desk))
    await desk.click("text=我认定是同一人")
    await desk.sees(".person .tag-green")
    assert "138****8000" in await desk.sees(".person .addresses")
    assert "70%" in await desk.sees(".person .proof")
    await desk.click(".person .quiet >> nth=0")
    await desk.write(".person .proof input", "认错人")
    await desk.click(".person .el-button--danger")
    await desk.sees_no(".person .tag-green")
    await desk.click(".talk .acts .el-button--danger")
    await desk.click(".el-popconfirm .el-button--primary")
