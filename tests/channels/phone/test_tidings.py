"""What is told is heard once and in order, by whoever listens."""

import asyncio

from channels.phone.tidings import Tidings


async def test_in_order_whether_it_comes_before_or_after_somebody_listens() -> None:
    tidings = Tidings[int]()
    tidings.put(1)
    tidings.put(2)
    assert (len(tidings), await tidings.get(), await tidings.get(), len(tidings)) == (2, 1, 2, 0)
    waiting = asyncio.create_task(tidings.get())
    await asyncio.sleep(0)
    tidings.put(3)
    tidings.put(4)
    assert (await waiting, await tidings.get()) == (3, 4)


async def test_a_listener_who_goes_takes_nothing_along() -> None:
    tidings = Tidings[int]()
    gone = asyncio.create_task(tidings.get())
    await asyncio.sleep(0)
    tidings.put(1)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert gone.cancelled()
    assert await tidings.get() == 1
