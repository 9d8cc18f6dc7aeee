"""The supervisor's wallboard through the real house: what it shows is what happened, and what it does is done."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.wallboard import Alarms, alarms
from insight.tally import Tally
from queueing.contract import AssigneeView, Presence, Profile, QueueView, Routing
from rulebook.hours import CITY
from session.ids import AssigneeId
from session.state import AssigneeKind
from tests.conftest import Eventually
from tests.gateway.living import Living, living
from tests.peers.pages import OWN_PAGE, CitizenPage, DeskPage

BOUNDS = Alarms(longest_wait_s=60.0, least=20)


@pytest.fixture
async def town(valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Living]:
    monkeypatch.setattr("insight.board.FRESH_S", 0.0)
    monkeypatch.setattr("gateway.desk.LOOK_S", 0.1)
    async with living(valkey_url, tmp_path) as opened:
        yield opened


async def _board(supervisor: DeskPage) -> dict[str, Any]:
    async with supervisor.http.get(f"{supervisor.servers[0]}/api/wallboard") as answer:
        answer.raise_for_status()
        shown: dict[str, Any] = await answer.json()
    return shown


async def _past(supervisor: DeskPage, query: str) -> dict[str, Any] | None:
    """None where it is refused."""
    async with supervisor.http.get(f"{supervisor.servers[0]}/api/wallboard/past?{query}") as answer:
        shown: dict[str, Any] = await answer.json()
        return shown if answer.status == 200 else None


async def _ask(supervisor: DeskPage, path: str, **given: object) -> int:
    server = supervisor.servers[0]
    headers = {**OWN_PAGE, "Origin": server}
    async with supervisor.http.post(f"{server}{path}", json=given, headers=headers) as answer:
        return answer.status


async def test_it_shows_what_happened_and_a_recount_agrees(
    town: Living, eventually: Eventually, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        town.desk("8004") as supervisor,
        town.desk("8001") as agent,
        CitizenPage(town.http) as leaving,
        CitizenPage(town.http) as served,
        CitizenPage(town.http) as waits,
    ):
        await leaving.write("在吗？")
        await leaving.command("session.end")
        await agent.make_ready()
        await served.write("路灯坏了")
        offer = await agent.offer()
        await agent.accept(offer)
        await agent.command("contact.finish", session=offer["session"])
        await served.saw("session.state", phase="ended")
        await served.command("rating.give", score=5, comment="", solved=True)
        await agent.command("presence.set", presence="break", reason="meal")
        await agent.command("wrap.save", session=offer["session"], kind="求助", note="已转路灯所")
        await waits.write("还有人吗？")

        async def whole() -> dict[str, Any] | None:
            board = await _board(supervisor)
            figures = {one["key"]: one["value"] for one in board["figures"]}
            rated = (figures["pleased_rate"], figures["solved_rate"])
            done = (figures["came"], figures["answered"], figures["lost"], *rated) == (3, 1, 1, 1, 1)
            return board if done and board["live"] == 1 else None

        await eventually(whole, 10)
        board = await whole()
        assert board is not None
        today = datetime.fromtimestamp(board["now"], CITY).strftime("%Y-%m-%d")
        past = await _past(supervisor, f"from={today}&days=1&step=hour")
        wrong = [
            await _past(supervisor, f"from={first}&days={days}&step={step}")
            for first, days, step in (
                *(("", "1", "day"), ("2026-13-01", "1", "day"), (today, "0", "day"), (today, "32", "day")),
                *((today, "8", "hour"), (today, "1", "year"), (today, "-1", "day")),
            )
        ]
    assert wrong == [None] * len(wrong)
    assert past is not None
    assert (len(past["steps"]), sum(step["total"]["came"] for step in past["steps"]), past["queues"]) == (
        24,
        3,
        ["general"],
    )
    formulas = {one["key"]: one["formula"] for one in past["figures"]}
    assert formulas["connect_rate"] == "answered / (answered + lost)"
    assert formulas["solved_rate"] == "solved / (rated - unsaid)"
    assert [step["total"]["solved_rate"] for step in past["steps"] if step["total"]["came"]] == [1.0]
    figures = {one["key"]: one for one in board["figures"]}
    assert figures["connect_rate"]["value"] == 0.5
    assert figures["connect_rate"]["formula"] == "answered / (answered + lost)"
    assert figures["connect_rate"]["at_least"] == 0.95
    (live,) = board["sessions"]
    assert (live["phase"], live["queue"], live["waiting"]) == ("queued", "general", True)
    assert live["citizen"].startswith("web "), "no more of a visitor than an agent sees"
    (general,) = [one for one in board["queues"] if one["queue"] == "general"]
    assert (general["waiting"], general["figures"]["came"]) == (1, 3)
    wang = next(one for one in board["agents"] if one["login"] == "8001")
    assert (wang["name"], wang["presence"], wang["reason"]) == ("王芳", "break", "meal")
    assert sum(step["came"] for step in board["steps"]) == 3
    code = await asyncio.to_thread(main, ["figures", "--data", str(town.data)])
    said = capsys.readouterr().out
    assert code == 0
    assert "connect_rate     50.0%        50.0%         接通率  answered / (answered + lost)" in said
    code = await asyncio.to_thread(main, ["figures", "--day", today, "--data", str(town.data)])
    said = capsys.readouterr().out
    assert code == 0
    assert "connect_rate     50.0%        50.0%         接通率  answered / (answered + lost)" in said
    assert await asyncio.to_thread(main, ["figures", "--day", "2026-02-30", "--data", str(town.data)]) == 2


async def test_a_supervisor_puts_an_agent_into_another_state_and_says_why(town: Living, eventually: Eventually) -> None:
    async with town.desk("8004") as supervisor, town.desk("8001") as agent:
        await agent.make_ready()
        assert await _ask(supervisor, "/api/agents/8001/presence", presence="break", reason="替班") == 200
        shown = await agent.saw("presence.self", presence="break")
        assert shown["reason"] == "替班 (8004)", "the agent sees who did it"
        wrong: list[dict[str, object]] = [
            {},
            {"presence": "asleep", "reason": "x"},
            {"presence": "off", "reason": " "},
            {"presence": "off", "reason": "x" * 65},
            {"presence": "off", "reason": "\ud800"},
            {"presence": ["off"], "reason": "x"},
        ]
        for given in wrong:
            assert await _ask(supervisor, "/api/agents/8001/presence", **given) == 400, given
        assert await _ask(supervisor, "/api/agents/nobody/presence", presence="off", reason="x") == 404
        assert await _ask(agent, "/api/agents/8004/presence", presence="off", reason="x") == 403


async def test_a_word_reaches_every_desk_once(town: Living, eventually: Eventually) -> None:
    async with town.desk("8004") as supervisor, town.desk("8001") as one, town.desk("8002") as two:
        await one.open()
        await two.open()
        assert await _ask(supervisor, "/api/notices", text="  暴雨橙色预警，来电增多，请大家坚守岗位。 ") == 200
        for desk in (one, two):
            notice = await desk.saw("notice")
            assert (notice["text_key"], notice["text"]) == ("bulletin.said", "暴雨橙色预警，来电增多，请大家坚守岗位。")
        assert await _ask(supervisor, "/api/notices", text="第二句") == 200
        await one.saw("notice", text="第二句")
        assert [frame["text"] for frame in one.frames if frame["t"] == "notice"].count("第二句") == 1
        for text in ("", " ", "字" * 501, 5, None, "\ud800"):
            assert await _ask(supervisor, "/api/notices", text=text) == 400
        assert await _ask(one, "/api/notices", text="我也说一句") == 403


def _view(presence: Presence, *queues: str) -> AssigneeView:
    profile = Profile(AssigneeId("8001"), AssigneeKind.AGENT, queues, {})
    return AssigneeView(profile, presence, "", Routing.READY, 0.0, frozenset(), ())


def test_what_alarms() -> None:
    calm, long, idle = QueueView("general", 3, 59.0, 0), QueueView("law", 1, 61.0, 0), QueueView("english", 1, 5.0, 0)
    people = [_view(Presence.READY, "general", "law"), _view(Presence.BREAK, "english")]
    raised = alarms(BOUNDS, Tally(came=30, answered=18, lost=2, prompt=18), [calm, long, idle], people)
    assert [(one["kind"], one.get("queue") or one.get("figure")) for one in raised] == [
        ("wait", "law"),
        ("nobody", "english"),
        ("figure", "connect_rate"),
        ("figure", "prompt_rate"),
    ]


def test_a_share_of_few_alarms_nobody() -> None:
    assert alarms(BOUNDS, Tally(came=19, lost=19), [], []) == []
    assert alarms(BOUNDS, Tally(came=20, lost=20), [], []) != []
