"""What administrators change: validated, versioned, compared, rolled back, in force on every node without a restart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from config.loading import load
from gateway import rules
from storage.database import Database, sqlite_url
from tests.conftest import Eventually
from tests.gateway.living import Living, living
from tests.peers.pages import CitizenPage

NIGHT = {"week": ["mon-sun 00:00-00:01"], "days": []}


@pytest.fixture
async def town(valkey_url: str, tmp_path: Path) -> AsyncIterator[Living]:
    async with living(valkey_url, tmp_path / "data", bots__guide="true") as opened:
        yield opened


@dataclass
class Clerk:
    """Somebody who is logged in, and asks over HTTP."""

    http: str
    session: aiohttp.ClientSession
    cookie: str

    async def ask(self, path: str, given: Any = None) -> tuple[int, Any]:
        """A POST where something is given."""
        headers = {"X-Yihao": "1", "Cookie": f"yihao={self.cookie}"}
        method = "GET" if given is None else "POST"
        async with self.session.request(method, f"{self.http}{path}", json=given, headers=headers) as answer:
            return answer.status, await answer.json()

    async def put(self, kind: str, document: Any, expected: int, why: str = "试") -> tuple[int, Any]:
        return await self.ask(f"/api/admin/rules/{kind}", {"document": document, "expected": expected, "why": why})

    async def document(self, kind: str) -> tuple[int, Any]:
        """Its version and content."""
        _, shown = await self.ask(f"/api/admin/rules/{kind}")
        return shown["version"], shown["document"]


@asynccontextmanager
async def clerk(town: Living, login: str = "8009", password: str = "") -> AsyncIterator[Clerk]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        given = {"login": login, "password": password or town.password(login)}
        async with session.post(f"{town.http}/api/login", json=given, headers={"X-Yihao": "1"}) as answer:
            assert answer.status == 200
            yield Clerk(town.http, session, SimpleCookie(answer.headers["Set-Cookie"])["yihao"].value)


async def _greeted(town: Living) -> str:
    """What the guide tells a citizen who writes now."""
    async with CitizenPage(town.http) as page:
        await page.open()
        await page.write("你好")
        said = await page.until(lambda one: one["t"] == "msg.new" and one["from"] == "bot", 15.0, "word of the guide")
        return str(said["text"])


async def test_hours_are_changed_and_rolled_back_without_a_restart(town: Living, eventually: Eventually) -> None:
    async with clerk(town) as admin:
        version, before = await admin.document("hours")
        assert version == 0
        status, compared = await admin.ask("/api/admin/rules/hours/compare", {"document": NIGHT})
        assert status == 200
        assert [(one["at"], one["after"]) for one in compared["changes"]] == [(["week"], NIGHT["week"])]
        assert await admin.put("hours", NIGHT, 0, "停电") == (200, {"version": 1})
        assert "人工在线时间为每天 0:00–0:01" in await _greeted(town)

        back = {"to": 0, "expected": 1, "why": "来电"}
        assert await admin.ask("/api/admin/rules/hours/rollback", back) == (200, {"version": 2})
        assert await admin.document("hours") == (2, before)
        _, listed = await admin.ask("/api/admin/rules/hours/versions")
        assert [(one["version"], one["author"], one["why"]) for one in listed["versions"]] == [
            (2, "8009", "来电"),
            (1, "8009", "停电"),
        ]
        _, shown = await admin.ask("/api/admin/rules/hours/versions/1")
        assert shown["document"] == NIGHT
        assert shown["back"] == shown["changes"] == compared["changes"]


async def test_what_cannot_be_is_refused_with_its_place(town: Living) -> None:
    async with clerk(town) as admin:
        status, refusal = await admin.put("hours", {"week": ["monday"]}, 0)
        assert (status, refusal["error"], refusal["at"]) == (400, "invalid", "$")
        assert "monday" in refusal["fault"]
        assert (await admin.put("hours", NIGHT, 0, " "))[1]["error"] == "why_needed"
        assert (await admin.put("weather", {}, 0))[0] == 404
        assert (await admin.ask("/api/admin/rules/hours/rollback", {"to": 9, "expected": 0, "why": "x"}))[0] == 404
        for given in ({}, {"document": NIGHT, "expected": "0", "why": "x"}, {"document": NIGHT, "expected": True}):
            status, refusal = await admin.ask("/api/admin/rules/hours", given)
            assert status == 400, given
        assert (await admin.document("hours"))[0] == 0


async def test_of_two_administrators_the_second_is_told(town: Living) -> None:
    async with clerk(town) as one, clerk(town) as other:
        assert (await one.put("words", {"words": [{"word": "机密"}]}, 0))[0] == 200
        assert await other.put("words", {"words": []}, 0) == (409, {"error": "moved", "version": 1})


async def test_agents_are_a_document_too(town: Living, eventually: Eventually) -> None:
    async with clerk(town) as admin, clerk(town, "8004") as untouched:
        version, before = await admin.document("agents")
        people = {one["login"]: one for one in before["agents"]}
        new = {**people["8003"], "login": "8010", "name": "赵云", "extension": "8010"}
        swapped = [
            {**people["8001"], "extension": "8002", "skills": {"english": 9}},
            {**people["8002"], "extension": "8001"},
        ]
        kept = [people["8004"], people["8009"], new, *swapped]
        assert await admin.put("agents", {"agents": kept}, version) == (200, {"version": 2}), "1 is as they were"
        _, after = await admin.document("agents")
        now = {one["login"]: one for one in after["agents"]}
        assert (now["8001"]["extension"], now["8002"]["extension"]) == ("8002", "8001")
        assert now["8003"]["disabled"], "who is left out may work no more, and is not forgotten"

        status, renewed = await admin.ask("/api/admin/agents/8010/passwords", {})
        assert status == 200
        assert (await untouched.ask("/api/me"))[0] == 200, "who is not changed stays logged in"
        async with clerk(town, "8010", renewed["password"]) as newcomer:
            assert (await newcomer.ask("/api/me"))[1]["agent"]["name"] == "赵云"

        refused = [one if one["login"] != "8009" else {**one, "role": "agent"} for one in after["agents"]]
        status, refusal = await admin.put("agents", {"agents": refused}, 2)
        assert (status, refusal["fault"]) == (400, "no administrator would be left")
        unknown = [{**one, "queues": ["nowhere"]} for one in after["agents"]]
        assert (await admin.put("agents", {"agents": unknown}, 2))[0] == 400
        back = {"to": 1, "expected": 2, "why": "x"}
        assert await admin.ask("/api/admin/rules/agents/rollback", back) == (200, {"version": 3})
        _, again = await admin.document("agents")
        assert again["agents"] == sorted(
            [*before["agents"], {**new, "disabled": True}], key=lambda one: str(one["login"])
        )


async def test_roles_are_made_given_and_taken_back(town: Living) -> None:
    """Each route asks what the role may now, of who is logged in too; somebody who may administer is always left."""
    duty = {"name": "duty", "title": "值班长", "english": "Duty", "permissions": ["wallboard", "rules"]}
    keeper = {"name": "keeper", "title": "人事", "permissions": ["accounts"]}
    async with clerk(town) as admin:
        status, refusal = await admin.put("roles", {"roles": [{**duty, "name": "administrator"}]}, 0)
        assert (status, refusal["fault"][:40]) == (400, "the role 'administrator' is built in, an")
        assert (await admin.put("roles", {"roles": [{**duty, "permissions": ["fly"]}]}, 0))[0] == 400
        assert await admin.put("roles", {"roles": [duty, keeper]}, 0) == (200, {"version": 1})
        version, before = await admin.document("agents")

        async def give(roles: dict[str, str], expected: int) -> tuple[int, Any]:
            given = [{**one, "role": roles.get(one["login"], one["role"])} for one in before["agents"]]
            return await admin.put("agents", {"agents": given}, expected)

        assert (await give({"8001": "nobody"}, version))[0] == 400
        assert await give({"8001": "duty", "8002": "keeper"}, version) == (200, {"version": 2})
        async with (
            clerk(town, "8001") as officer,
            clerk(town, "8002") as personnel,
            clerk(town, "8003") as agent,
        ):
            _, me = await officer.ask("/api/me")
            assert (me["agent"]["role"], me["agent"]["permissions"]) == ("duty", ["rules", "wallboard"])
            may = {
                ("/api/wallboard", None): (200, 403, 403),
                ("/api/admin/rules/hours", None): (200, 403, 403),
                ("/api/admin/rules/agents", None): (403, 200, 403),
                ("/api/admin/rules/roles", None): (403, 200, 403),
                ("/api/notices", "said"): (403, 403, 403),
                ("/api/supervision", None): (403, 403, 403),
                ("/api/calls", None): (403, 403, 403),
                ("/api/admin/audit", None): (403, 403, 403),
                ("/api/prompts", None): (200, 403, 403),
            }
            for (path, given), wanted in may.items():
                answers = [(await one.ask(path, given))[0] for one in (officer, personnel, agent)]
                assert tuple(answers) == wanted, path
            higher = {"document": {"roles": []}, "expected": 1, "why": "x"}
            assert (await officer.ask("/api/admin/rules/roles", higher))[0] == 403, "nobody makes themselves more"

            status, refusal = await admin.put("roles", {"roles": [keeper]}, 1)
            assert (status, refusal["fault"]) == (400, "8001 has the role 'duty': give them another first")
            less = {"roles": [{**duty, "permissions": ["wallboard"]}, keeper]}
            assert await admin.put("roles", less, 1) == (200, {"version": 2})
            assert (await officer.ask("/api/admin/rules/hours"))[0] == 403, "at once"
            assert (await admin.ask("/api/admin/rules/roles/versions/2"))[1]["changes"] == [
                {"at": ["roles", "duty", "permissions"], "before": ["wallboard", "rules"], "after": ["wallboard"]}
            ]
            back = {"to": 1, "expected": 2, "why": "恢复"}
            assert await admin.ask("/api/admin/rules/roles/rollback", back) == (200, {"version": 3})
            assert (await officer.ask("/api/admin/rules/hours"))[0] == 200

            retired = {"8001": "duty", "8002": "keeper", "8009": "agent"}
            assert (await give(retired, 2))[0] == 200, "who may give everything else is an administrator"
            status, refusal = await personnel.put("roles", {"roles": [duty, {**keeper, "permissions": []}]}, 3)
            assert (status, refusal["fault"]) == (400, "no administrator would be left")


async def test_citizens_never_see_a_word_that_is_masked(town: Living, eventually: Eventually) -> None:
    async with clerk(town) as admin:
        assert (await admin.put("words", {"words": [{"word": "内部电话", "of": "agent"}]}, 0))[0] == 200
    async with town.desk("8001") as desk, CitizenPage(town.http) as page:
        await desk.open()
        await desk.make_ready()
        await page.open()
        await page.write("请问内部电话")
        offer = await desk.offer()
        await desk.accept(offer)
        await desk.command("msg.send", session=offer["session"], text="没有内部电话。")
        await eventually(lambda: "没有＊＊＊＊。" in page.texts(), 15)
        await eventually(lambda: "没有内部电话。" in desk.texts(offer["session"]), 15)
        assert "没有内部电话。" not in page.texts()


async def test_desks_are_told_of_new_rules(town: Living) -> None:
    async with clerk(town) as admin, clerk(town, "8001") as agent, town.desk("8001") as desk:
        await desk.open()
        _, before = await agent.ask("/api/desk/rules")
        assert [one["word"] for one in before["replies"]]
        assert (await admin.put("canned", {"replies": [{"word": "新", "title": "新", "text": "新"}]}, 0))[0] == 200
        await desk.saw("rules.changed", 15.0, revision=before["revision"] + 1)
        _, after = await agent.ask("/api/desk/rules")
        assert [one["word"] for one in after["replies"]] == ["新"]
        assert (await agent.ask("/api/admin/rules"))[0] == 403


async def test_every_node_goes_by_it(town: Living, valkey_url: str, tmp_path: Path, eventually: Eventually) -> None:
    async with (
        living(valkey_url, tmp_path / "data", bots__guide="true") as other,
        clerk(town) as admin,
        clerk(other) as there,
    ):
        assert (await admin.put("hours", NIGHT, 0))[0] == 200
        assert await there.document("hours") == (1, NIGHT)
        revision = (await admin.ask("/api/desk/rules"))[1]["revision"]

        async def heard() -> bool:
            return bool((await there.ask("/api/desk/rules"))[1]["revision"] == revision)

        await eventually(heard, 15)


async def test_the_audit_says_who_did_what_and_cannot_be_changed(town: Living, tmp_path: Path) -> None:
    async with clerk(town) as admin, clerk(town, "8004") as supervisor:
        async with admin.session.post(
            f"{town.http}/api/login", json={"login": "my password", "password": "x"}, headers={"X-Yihao": "1"}
        ) as answer:
            assert answer.status == 401
        await supervisor.ask("/api/agents/8001/presence", {"presence": "off", "reason": "午休"})
        await admin.put("hours", NIGHT, 0)
        version, staff = await admin.document("agents")
        put = await admin.put("agents", staff, version)
        assert put == (200, {"version": version + 2}), "what stood there is a version as well"
        _, shown = await admin.ask("/api/admin/audit")
        assert [(one["by"], one["deed"], one["on"], one["detail"]) for one in shown["notes"]] == [
            ("8009", "rules_changed", "agents", f"{version + 2}"),
            ("8009", "rules_changed", "hours", "1"),
            ("8004", "presence_forced", "8001", "off: 午休"),
            ("", "login_refused", "", ""),
            ("8004", "login", "", ""),
            ("8009", "login", "", ""),
        ]
        _, theirs = await admin.ask("/api/admin/audit?by=8004&deed=login")
        assert len(theirs["notes"]) == 1
        assert (await supervisor.ask("/api/admin/audit"))[0] == 403
    async with Database.open(sqlite_url(tmp_path / "data")) as database:
        for change in ("DELETE FROM audit", "UPDATE audit SET detail = 'x'"):
            with pytest.raises(DBAPIError, match="appended to"):
                async with database.writing() as connection:
                    await connection.execute(text(change))


async def test_channels_are_shown_as_they_do(town: Living, eventually: Eventually) -> None:
    async with clerk(town) as admin, CitizenPage(town.http) as page:
        await page.open()
        await page.write("你好")

        async def came() -> bool:
            _, shown = await admin.ask("/api/admin/channels")
            rows = {one["name"]: one for one in shown["channels"]}
            assert rows["phone"]["state"] == "quiet"
            assert "wechat" in shown["off"]
            return bool(rows["webchat"]["state"] == "well" and rows["webchat"]["came"] == 1)

        await eventually(came, 15)


async def test_the_same_as_files(town: Living, tmp_path: Path) -> None:
    settings = load(arguments=[f"data={tmp_path / 'data'}"], environment={})
    folder = tmp_path / "files"
    assert "hours.json  version 0" in await rules.exported(settings, folder)
    assert "hours: as it is" in await rules.imported(settings, folder, why="x", really=True)
    (folder / "hours.json").write_text('{"week": ["mon-fri 08:30-18:00"]}')
    told = await rules.imported(settings, folder, why="新作息", really=False)
    assert '  week: ["mon-sun 00:00-24:00"] → ["mon-fri 08:30-18:00"]' in told
    async with clerk(town) as admin:
        assert (await admin.document("hours"))[0] == 0
        await rules.imported(settings, folder, why="新作息", really=True)
        assert await admin.document("hours") == (1, {"week": ["mon-fri 08:30-18:00"], "days": []})
    assert "新作息" in await rules.history(settings, "hours")
    assert "hours: version 2" in await rules.rolled_back(settings, "hours", 0, why="x")
    people = json.loads((folder / "agents.json").read_text())
    people["agents"][0]["role"] = "duty"
    (folder / "agents.json").write_text(json.dumps(people))
    (folder / "roles.json").write_text('{"roles": [{"name": "duty", "title": "值班长", "permissions": ["wallboard"]}]}')
    assert "agents.8001.role" in await rules.imported(settings, folder, why="x", really=False)
    assert "roles: version 1" in await rules.imported(settings, folder, why="x", really=True), "and who has the role"
    (folder / "hours.json").write_text("{")
    with pytest.raises(rules.RuleFileUnreadable):
        await rules.imported(settings, folder, why="x", really=True)
