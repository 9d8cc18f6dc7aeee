"""The one timer of all machines: in order, once, and nothing is kept for a deadline that nobody waits for any more."""

import asyncio
import gc
import weakref

from channels.phone.sip.timing import Timer, Timers
from channels.phone.wheel import TimerWheel
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Telephone
from tests.conftest import Eventually


class Machine:
    """Notes when it is turned."""

    def __init__(self, name: str, turned: list[str]) -> None:
        self.timers = Timers()
        self._name, self._turned = name, turned

    def turn(self, now: float) -> None:
        self.timers.due(now)
        self._turned.append(self._name)


async def test_machines_turn_in_the_order_of_their_deadlines_and_an_earlier_one_counts(eventually: Eventually) -> None:
    wheel, turned, now = TimerWheel(), list[str](), asyncio.get_running_loop().time()
    one, two = Machine("one", turned), Machine("two", turned)
    for machine, after_s in ((one, 900.0), (two, 0.02), (one, 0.01)):
        machine.timers.set(Timer.A, now + after_s)
        wheel.watch(machine)
    await eventually(lambda: turned == ["one", "two"])
    wheel.stop()


async def test_a_machine_that_is_forgotten_is_let_go() -> None:
    wheel = TimerWheel()
    machine = Machine("one", [])
    machine.timers.set(Timer.EXPIRY, asyncio.get_running_loop().time() + 900.0)
    wheel.watch(machine)
    wheel.forget(machine)
    gone = weakref.ref(machine)
    del machine
    assert gone() is None
    wheel.stop()


async def test_a_call_with_a_session_timer_is_let_go_at_its_end(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    """It would have been refreshed in a quarter of an hour."""
    async with open_phone() as phone, Telephone(phone.bound) as caller:
        call = await caller.call(extra=("Supported: timer", "Session-Expires: 1800;refresher=uas"))
        assert call.answer.headers.first("session-expires")
        running = weakref.ref(next(iter(phone._endpoint.calls.values())))
        call.bye()
        await caller.response("BYE")
        await eventually(lambda: core.closed() and not phone.calls)

        def is_gone() -> bool:
            gc.collect()
            return running() is None

        await eventually(is_gone)
