"""The built-in bot beside a citizen who waits: it keeps them company, and they keep their place."""

from tests.conftest import Eventually
from tests.scenarios.kinds import MakesGateway, OpensChat, OpensDesk


async def test_the_guide_keeps_company_and_the_place_is_kept(
    own_gateway: MakesGateway, citizen: OpensChat, desk: OpensDesk, eventually: Eventually
) -> None:
    gateway = own_gateway(bots__guide="true")
    await gateway.start()
    page = await citizen(gateway)
    await page.write("人工")  # by night the guide has the session first, and hands it over at this word
    await eventually(lambda: page.phase == "waiting")
    words = await page.until(
        lambda frame: frame["t"] == "msg.new" and frame["from"] == "bot" and "陪您等候" in frame["text"], 12, "company"
    )
    assert "机器人" in words["text"], "a program must say that it is one"
    assert page.phase == "waiting"
    await page.write("我再补充一句")
    agent = await desk(gateway, "8001")
    await agent.make_ready()
    offer = await agent.offer()
    assert offer["waited_s"] >= 4.5, "the wait with the guide counts"
    await agent.accept(offer)
    await eventually(lambda: page.phase == "talking")
    entries = [one for one in agent.timeline(offer["session"]) if one["kind"] == "text"]
    assert [one["text"] for one in entries if one["who"]["kind"] == "citizen"] == ["人工", "我再补充一句"]
    spoken = len(page.texts())
    await agent.command("msg.send", session=offer["session"], text="您好，我是 8001")
    await page.saw("msg.new", text="您好，我是 8001")
    assert len(page.texts()) == spoken + 1, "the guide is silent beside an agent"
