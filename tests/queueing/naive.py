"""The queue as it is often built, for a control: take the first out of the line, then write down who gets it.

In between nobody has the session. The harness that the real queue passes must find that.
"""

from __future__ import annotations

from queueing.line import RedisQueue

PARTS = """
-- class, session, its key: offer what has been taken out of the line
entry('naive_offer', function(args)
  redis.call('ZADD', P .. 'waiting:' .. args[1], args[3], args[2])
  offer.make(args[1])
  return 1
end)
"""


class NaiveQueue(RedisQueue):
    """Pops, then writes."""

    async def match(self, limit: int = 100) -> int:
        made = 0
        for demand in await self._server.send("ZRANGE", f"{self._prefix}matchable", 0, limit - 1):
            popped = await self._server.send("ZPOPMIN", f"{self._prefix}waiting:".encode() + demand)
            if popped:
                made += await self._server.call("naive_offer", demand, *popped)
        return made
