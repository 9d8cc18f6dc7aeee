"""When new calls are put off, and when they are taken again."""

import asyncio
import time

from channels.phone.overload import Overload
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.telephone import Telephone
from tests.conftest import Eventually


def test_a_hiccup_is_none_and_half_a_second_of_trouble_is() -> None:
    one = Overload(0.1)

    def after(*late_s: float) -> bool:
        for each in late_s:
            one.looked(each)
        return one.is_on

    assert not after(0.4)
    assert after(*[0.2] * 10)
    assert after(0.0, 0.0), "it is not over at the first good look"
    assert not after(*[0.0] * 10)
    assert not after(0.09)


def test_where_nobody_wants_it() -> None:
    one = Overload(0.0)
    for _ in range(100):
        one.looked(9.0)
    assert not one.is_on


def test_they_come_back_by_chance() -> None:
    assert (Overload.retry_after_s(0.0), Overload.retry_after_s(0.9999)) == (2, 10)


async def test_new_calls_are_put_off_and_those_that_run_go_on(open_phone: OpenPhone, eventually: Eventually) -> None:
    async with open_phone(overload_s=0.05) as phone, Telephone(phone.bound) as one, Telephone(phone.bound) as other:
        running = await one.call()
        assert running.answer.status == 200

        async def stand_still() -> bool:
            time.sleep(0.3)
            await asyncio.sleep(0)
            return phone._overload.is_on

        await eventually(stand_still, deadline_s=15)
        refused = (await other.call()).answer
        assert refused.status == 503
        assert 2 <= int(refused.headers.first("retry-after") or 0) <= 10
        one.send(running.within("OPTIONS", 2))
        assert (await one.response("OPTIONS")).status == 200
        await eventually(lambda: not phone._overload.is_on, deadline_s=15)
        assert phone.calls == 1
