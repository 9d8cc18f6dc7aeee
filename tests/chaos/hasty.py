"""The control: the gateway with one defect that one writes in an afternoon. It must fail where the product holds.

Whoever opens a link has their call closed first, and is let into the chat afterwards: break before make. Run as the
command `yihao` is.
"""

import sys
from pathlib import Path

from channels.contract import LinkVisit


def break_before_make() -> None:
    from gateway.links import Links
    from session.events import LegClosed
    from session.state import LegEnd, Party
    from session.switch import Link

    let_in = Links._let_in

    async def hastily(self: Links, link: Link, digest: str) -> LinkVisit:
        session = await self._log.open_session_of(link.session)
        for leg in session.live_legs(Party.CITIZEN) if session is not None else ():
            await self._inbox.post(link.session, LegClosed(leg=leg.id, reason=LegEnd.CLOSED))
        return await let_in(self, link, digest)

    Links._let_in = hastily  # type: ignore[method-assign]  # the defect


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    break_before_make()
    from gateway.cli import main

    sys.exit(main())
