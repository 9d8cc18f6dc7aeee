"""What a page that was greeted says: its commands one after the other, the rest as it comes."""

from __future__ import annotations

import logging
import time

from realtime.errors import FrameRefused, NotAFrame
from realtime.link import Link
from realtime.messages import Ack, Command, Ephemeral, Ping, Pong, Rcv, Up
from realtime.page import Page
from realtime.peer import Peer, Refusal
from realtime.workers import Workers
from session.ports import SessionGone, StoreUnavailable

log = logging.getLogger(__name__)

_FAULT = 1011


class Talk:
    """One socket's, on its link. Whatever goes wrong in it closes that socket, and the page comes again."""

    __slots__ = ("_link", "_page", "_peer", "_workers")

    def __init__(self, page: Page, link: Link, peer: Peer, workers: Workers) -> None:
        self._page, self._link, self._peer, self._workers = page, link, peer, workers

    def begin(self) -> None:
        """Hear the page from now on."""
        self._page.serve(on_note=self._note, on_turn=self._turn)

    def _turn(self) -> None:
        self._workers.add(self._answer)

    def _note(self, frame: Up) -> None:
        """Take what waits for nothing: it may come before a command that the store has yet to answer."""
        match frame:
            case Rcv():
                if not self._link.confirm(frame.seq):
                    raise NotAFrame("a frame is confirmed that was never sent")
                self._peer.received(self._link, frame.seq)
            case Ping():
                self._link.reply(Pong())
            case Ephemeral():
                if self._link.commands.take(time.monotonic()):
                    self._peer.ephemeral(self._link, frame)
            case _:
                raise NotAFrame("a second hello")

    async def _answer(self) -> None:
        """Take what waits for its turn, one after the other, until nothing more does."""
        page = self._page
        try:
            while page.received:
                for heard in page.take():
                    if heard.waits:
                        await self._command(heard)
                    elif not isinstance(heard, FrameRefused):
                        self._note(heard)
                    elif heard.command_id:
                        self._refuse(heard.command_id, heard.cseq, Refusal(heard.code))
                    else:
                        self._put_out(heard)
                        return
            page.is_taken = False
        except FrameRefused as refused:
            self._put_out(refused)
        except Exception:  # a task's top: the page is to come again, and finds what was not answered still to be done
            log.exception("a command failed")
            page.close(_FAULT, "fault")

    def _put_out(self, refused: FrameRefused) -> None:
        """Close a socket whose frame no nack can answer."""
        log.info("a socket is closed: %s", refused)
        self._page.close(refused.close, refused.code)

    async def _command(self, command: Command) -> None:
        link = self._link
        if link.expects is None:
            link.expects = command.cseq
        if command.cseq > link.expects:
            # Taken now, it would overtake an earlier one that was refused or is still to come.
            link.reply(Refusal("gap", retry=True).nack(command.id, expect=link.expects))
            return
        outcome: int | Refusal
        try:
            if link.commands.take(time.monotonic()):
                outcome = await self._peer.command(link, command)
            else:
                outcome = Refusal("rate", retry=True, after_s=link.commands.wait_s(time.monotonic()))
        except StoreUnavailable as away:
            outcome = Refusal("not_accepted", retry=True, after_s=away.retry_after_s)
        except SessionGone:
            outcome = Refusal("ended")
        if isinstance(outcome, Refusal):
            self._refuse(command.id, command.cseq, outcome)
            return
        if link.expects == command.cseq:  # not where it was sent again, nor where the page has begun anew meanwhile
            link.expects += 1
        link.reply(Ack(id=command.id, rev=outcome))

    def _refuse(self, command_id: str, cseq: int | None, refusal: Refusal) -> None:
        """A command that is refused for good has had its turn; one that will come again has not."""
        link = self._link
        if cseq is not None and not refusal.retry and cseq == (link.expects if link.expects is not None else cseq):
            link.expects = cseq + 1
        link.reply(refusal.nack(command_id))
