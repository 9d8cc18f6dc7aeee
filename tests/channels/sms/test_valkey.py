"""The same on a real store: what is kept there is found there by another node."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.sms.aliyun.carrier import AliyunCarrier, AliyunSettings
from channels.sms.carrier import Fate, Report
from channels.sms.dispatch import Standing
from channels.sms.door import Door
from channels.sms.errors import SubmitDelayed
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from session import events as ev
from session.state import LegEnd
from tests.channels.sms.rig import StandIn, World, node
from tests.channels.sms.test_reassembly import parts
from tests.conftest import Eventually

SECRET = "a-path-that-nobody-would-guess"


@pytest.fixture
async def world(valkey_url: str) -> AsyncIterator[World]:
    async with RedisStore.connect(valkey_url, tenant="sms", pepper=b"p" * 32, settings=QueueSettings()) as store:
        yield World(store)


async def test_in_by_one_node_and_out_by_another(world: World, tmp_path: Path, eventually: Eventually) -> None:
    here, there = StandIn(), StandIn(ids_per_message=2)
    first, second = parts("路灯坏了三天了😀，请派人来修")[:1], parts("路灯坏了三天了😀，请派人来修")[1:]
    async with (
        node(world, [here], tmp_path, name="a", part_patience_s=60.0) as one,
        node(world, [there], tmp_path, name="b", part_patience_s=60.0) as other,
    ):
        for part in first:
            await here.brings(part)
        await asyncio.gather(*(here.brings(part) for part in second))
        assert await world.texts() == ["路灯坏了三天了😀，请派人来修"]
        await asyncio.gather(*(there.writes("在中山路", "2") for _ in range(50)))
        (session,) = await world.sessions()
        there.troubles = [SubmitDelayed("stand-in", "busy", 0.05)]
        await asyncio.gather(*(other.answer(world, session, "已派人", "m1") for _ in range(5)))
        await eventually(lambda: here.sent or there.sent)
        sender = here if here.sent else there
        sender.ids_per_message = 2

        async def accepted() -> bool:
            return await one.channel.standing_of(session, "m1") is Standing.ACCEPTED

        await eventually(accepted)
        known = await one.channel._outbox.standing(one.channel._keys.dispatch(session, "m1"))
        assert known is not None
        for own in known.ids:
            await here.reports(Report("stand-in", own, Fate.DELIVERED))
        assert len(await world.events(ev.MessageDelivered, session)) == 1
        assert len(here.sent) + len(there.sent) == 1
        await one.channel.close_leg(session, await world.leg(session), LegEnd.CLOSED)
    assert await world.texts(session) == ["路灯坏了三天了😀，请派人来修", "在中山路"]


async def test_a_full_array_is_durable_within_its_time(world: World, tmp_path: Path) -> None:
    carrier = AliyunCarrier(
        AliyunSettings(key_id="i", key_secret="s", signature="x", templates={}, door=Door(SECRET), answer_within_s=20.0)
    )
    items = [
        {"phone_number": f"1380013{index % 50:04d}", "content": f"第{index}条", "sequence_id": str(index)}
        for index in range(100)
    ]
    async with node(world, [carrier], tmp_path) as serving:
        loop = asyncio.get_running_loop()
        for _ in range(2):
            began = loop.time()
            url = f"{serving.base}/api/sms/aliyun/{SECRET}/up"
            async with serving.http.post(url, data=json.dumps(items)) as response:
                assert response.status == 200
            print(f"100 texts of 50 citizens: {loop.time() - began:.3f} s")
    assert len(await world.texts()) == 100
    assert len(await world.sessions()) == 50
