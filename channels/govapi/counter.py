"""The API over HTTP: from a request to an operation, and from what became of it to an answer. Nothing answers 500."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

from channels.govapi import errors as er
from channels.govapi import gate
from channels.govapi.answers import Answer, Answers, Wish, wish
from channels.govapi.gate import Admitted, Gate, body_of, checked
from channels.govapi.messages import Problem
from channels.govapi.openapi import printed
from channels.govapi.operations import OPERATIONS, ROOT, Operation, Parameter
from channels.govapi.reception import Call, Reception
from channels.govapi.settings import GovApiSettings
from channels.govapi.shapes import Unfit, parsed, read, written
from channels.govapi.structured import InnerList
from session.errors import YihaoError

log = logging.getLogger(__name__)

_JSON, _PROBLEM = "application/json", "application/problem+json"
_ACCEPTS = f"yihao={InnerList(gate.OF_A_POST, {'created': True, 'nonce': True, 'keyid': True, 'tag': gate.TAG})}"
"""What a 401 asks to be signed (RFC 9421, section 5.1)."""
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})

Done = Awaitable[tuple[int, object]]


class Counter:
    """Of one node."""

    def __init__(self, settings: GovApiSettings, door: Gate, answers: Answers, reception: Reception) -> None:
        self._settings, self._gate, self._answers, self._reception = settings, door, answers, reception
        self._openapi = printed()
        self._does: dict[str, Callable[..., Done]] = {
            "openSession": reception.open_session,
            "getSession": reception.get_session,
            "sendText": reception.send_text,
            "sendFile": reception.send_file,
            "markRead": reception.mark_read,
            "requestHuman": reception.request_human,
            "endSession": reception.end_session,
            "rateSession": reception.rate_session,
            "getEvents": reception.get_events,
        }

    def routes(self) -> Sequence[web.RouteDef]:
        """Every operation, the document, the meaning of each problem, and what is said of all other paths."""
        return [
            *(web.route(one.method, f"{ROOT}{one.path}", self._handler(one)) for one in OPERATIONS),
            web.get(f"{ROOT}/openapi.json", self._document),
            web.get(f"{er.TYPES}{{slug}}", self._meaning),
            web.route("*", "/api/govapi/{rest:.*}", self._nowhere),
        ]

    def _handler(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._answer(operation, request)
            except er.GovApiError as error:
                return refused(error)
            except YihaoError as error:
                log.warning("not taken", extra={"operation": operation.id, "why": type(error).__name__})
                return refused(er.StoreAway(error.retry_after_s or 1.0))

        return handle

    async def _answer(self, operation: Operation, request: web.Request) -> web.StreamResponse:
        admitted = await self._gate.admit(request)
        call = Call(admitted.client, request.match_info.get("session", ""), "")
        if operation.gives_file:
            return await self._give(call, request)
        if operation.method == "GET":
            numbers = [_number(one, request.query) for one in operation.query]
            return _told(_answer_of(*await self._does[operation.id](call, *numbers)))
        one = wish(admitted, request.method, request.rel_url.raw_path, request.rel_url.raw_query_string)
        answer = await self._answers.known(one)
        if answer is None:
            answer = await self._fulfilled(operation, request, admitted, one)
            await self._answers.keep(one, answer)
        return _told(answer)

    async def _fulfilled(self, operation: Operation, request: web.Request, admitted: Admitted, one: Wish) -> Answer:
        """What the wish comes to. A refusal that would be the same again is an answer too; others are raised."""
        call = Call(admitted.client, request.match_info.get("session", ""), one.id)
        try:
            if operation.takes_file:
                return _answer_of(*await self._take(call, request, admitted))
            body = await body_of(request, admitted)
            if operation.asks is None:
                raise TypeError(f"{operation.id} asks for nothing")
            try:
                asked: object = read(operation.asks, parsed(body))
            except Unfit as unfit:
                raise er.BodyMalformed(unfit.why, unfit.where) from unfit
            return _answer_of(*await self._does[operation.id](call, asked))
        except er.DigestWrong:
            raise  # another body than the one that the key was noted with
        except er.GovApiError as error:
            if error.retryable:
                raise
            return _problem(error)

    # --- files ------------------------------------------------------------------------------------------------------

    async def _take(self, call: Call, request: web.Request, admitted: Admitted) -> tuple[int, object]:
        chunks = checked(request, admitted, self._settings.file_bytes, er.FileTooLarge)
        try:
            return await self._reception.keep_file(call, chunks, request.content_type)
        except er.GovApiError:
            raise
        except YihaoError as error:  # the file store is another room's: known is only whether it may be tried again
            if error.retryable:
                raise
            raise er.FileRefused from error

    async def _give(self, call: Call, request: web.Request) -> web.StreamResponse:
        try:
            stored, chunks = await self._reception.give_file(call, request.match_info["file"])
        except er.GovApiError:
            raise
        except YihaoError as error:
            if error.retryable:
                raise
            raise er.FileUnknown from error
        response = web.StreamResponse(
            headers={
                "Content-Type": stored.content_type,
                "Content-Length": str(stored.size_bytes),
                "Content-Disposition": "inline" if stored.content_type in _SHOWN else "attachment",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            }
        )
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
        return response

    # --- what needs no signature ------------------------------------------------------------------------------------

    async def _document(self, _: web.Request) -> web.Response:
        return web.Response(text=self._openapi, content_type=_JSON)

    async def _meaning(self, request: web.Request) -> web.Response:
        """A problem's type is an address at which its meaning can be read."""
        kind = er.problems().get(request.match_info["slug"])
        if kind is None:
            return refused(er.PathUnknown())
        return web.json_response(
            {"type": f"{er.TYPES}{kind.slug}", "title": kind.title, "status": kind.status, "mend": kind.mend}
        )

    async def _nowhere(self, request: web.Request) -> web.Response:
        if not request.path.startswith(f"{ROOT}/"):
            return refused(er.VersionUnknown())
        allowed = sorted(one.method for one in OPERATIONS if _is_at(one, request.path))
        return refused(er.MethodUnknown(", ".join(allowed)) if allowed else er.PathUnknown())


def refused(error: er.GovApiError) -> web.Response:
    """A problem, with what its reader's program needs."""
    answer = _told(_problem(error))
    if error.retryable:
        answer.headers["Retry-After"] = f"{max(1.0, error.retry_after_s or 1.0):.0f}"
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Signature"
        answer.headers["Accept-Signature"] = _ACCEPTS
    if isinstance(error, er.MethodUnknown):
        answer.headers["Allow"] = error.allowed
    return answer


def _problem(error: er.GovApiError) -> Answer:
    detail = f"{error.detail}. {error.mend}" if error.detail else error.mend
    return _answer_of(error.status, Problem(f"{er.TYPES}{error.slug}", error.title, error.status, detail, error.where))


def _answer_of(status: int, value: object) -> Answer:
    return Answer(status, written(value))


def _told(answer: Answer) -> web.Response:
    kind = _JSON if answer.status < 400 else _PROBLEM
    return web.Response(
        status=answer.status, body=answer.body, content_type=kind, headers={"Cache-Control": "no-store"}
    )


def _number(one: Parameter, query: Any) -> int:
    text = query.get(one.name)
    if text is None:
        return one.default
    if not (text.isascii() and text.isdigit() and len(text) < 17 and one.least <= int(text) <= one.most):
        raise er.QueryMalformed(f"must be a whole number from {one.least:g} to {one.most:g}", one.name)
    return int(text)


def _is_at(operation: Operation, path: str) -> bool:
    wanted, given = f"{ROOT}{operation.path}".split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        part.startswith("{") or part == is_there for part, is_there in zip(wanted, given, strict=True)
    )
