"""What can be asked of the API: one table, from which come its routes and its document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from channels.govapi import errors as er
from channels.govapi import messages as ms

VERSION = "v1"
ROOT = f"/api/govapi/{VERSION}"
MOST_EVENTS = 200
LONGEST_NAME = 128
"""Of a session or a file in a path, in characters."""
LONGEST_WAIT_S = 30


@dataclass(frozen=True, slots=True)
class Parameter:
    """A whole number in the query."""

    name: str
    least: int
    most: int
    default: int
    means: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that can be asked."""

    id: str
    method: str
    path: str
    summary: str
    answers: Mapping[int, type]
    asks: type | None = None
    """What the body says; None where there is none, or it is a file's bytes."""
    query: tuple[Parameter, ...] = ()
    problems: tuple[type[er.GovApiError], ...] = ()
    takes_file: bool = False
    gives_file: bool = False


OF_ALL: tuple[type[er.GovApiError], ...] = (
    er.SignatureMissing,
    er.SignatureMalformed,
    er.SignatureRefused,
    er.SignatureStale,
    er.SignatureReplayed,
    er.TooOften,
    er.StoreAway,
)
OF_POSTS: tuple[type[er.GovApiError], ...] = (er.KeyMissing, er.KeyReused, er.DigestWrong)
OF_BODIES: tuple[type[er.GovApiError], ...] = (er.BodyMalformed, er.BodyTooLarge)
OF_NONE: tuple[type[er.GovApiError], ...] = (er.VersionUnknown, er.PathUnknown, er.MethodUnknown)
"""What is said where there is no operation."""

_EVENTS = (
    Parameter("after", 0, 2**53 - 1, 0, "What is wanted lies after this cursor; all up to it has arrived."),
    Parameter("wait_s", 0, LONGEST_WAIT_S, 0, "For how long to wait where there are none."),
    Parameter("limit", 1, MOST_EVENTS, 100, "About how many at most; events of one cursor stay together."),
)

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "openSession",
        "POST",
        "/sessions",
        "A user comes: begin a session (201), or go on with their open one (200). 受理诉求",
        {201: ms.Session, 200: ms.Session},
        asks=ms.OpenSession,
    ),
    Operation(
        "getSession",
        "GET",
        "/sessions/{session}",
        "Where the session stands: phase, assignee, place in line. 查询会话与排队位置",
        {200: ms.Session},
        problems=(er.SessionUnknown,),
    ),
    Operation(
        "sendText",
        "POST",
        "/sessions/{session}/messages",
        "The user writes. 发送文字",
        {201: ms.MessageTaken},
        asks=ms.SendText,
        problems=(er.SessionUnknown, er.SessionEnded),
    ),
    Operation(
        "sendFile",
        "POST",
        "/sessions/{session}/files",
        "The user sends a file that was uploaded. 发送文件",
        {201: ms.MessageTaken},
        asks=ms.SendFile,
        problems=(er.SessionUnknown, er.SessionEnded, er.FileUnknown),
    ),
    Operation(
        "uploadFile",
        "POST",
        "/files",
        "Upload a file: its bytes are the body. 上传文件",
        {201: ms.FileKept},
        problems=(er.FileRefused, er.FileTooLarge),
        takes_file=True,
    ),
    Operation(
        "getFile",
        "GET",
        "/sessions/{session}/files/{file}",
        "The bytes of a file in a message of the session. 下载文件",
        {},
        problems=(er.SessionUnknown, er.FileUnknown),
        gives_file=True,
    ),
    Operation(
        "markRead",
        "POST",
        "/sessions/{session}/read",
        "The user has read up to a message. 已读",
        {200: ms.Taken},
        asks=ms.MarkRead,
        problems=(er.SessionUnknown, er.MessageUnknown),
    ),
    Operation(
        "requestHuman",
        "POST",
        "/sessions/{session}/human",
        "The user asks for a person. 转人工",
        {200: ms.Taken},
        asks=ms.Nothing,
        problems=(er.SessionUnknown, er.SessionEnded),
    ),
    Operation(
        "endSession",
        "POST",
        "/sessions/{session}/end",
        "The user leaves. 结束会话",
        {200: ms.Taken},
        asks=ms.Nothing,
        problems=(er.SessionUnknown,),
    ),
    Operation(
        "rateSession",
        "POST",
        "/sessions/{session}/rating",
        "The user rates the contact; the first rating stands. 评价",
        {200: ms.Taken},
        asks=ms.GiveRating,
        problems=(er.SessionUnknown, er.NotYetRateable),
    ),
    Operation(
        "getEvents",
        "GET",
        "/sessions/{session}/events",
        "What happened after a cursor; waits where nothing did. 拉取事件（长轮询）",
        {200: ms.Events},
        query=_EVENTS,
        problems=(er.SessionUnknown, er.QueryMalformed, er.TooManyWaiting),
    ),
)


def problems_of(operation: Operation) -> tuple[type[er.GovApiError], ...]:
    """Everything that it may be refused for."""
    posts = OF_POSTS if operation.method == "POST" else ()
    bodies = OF_BODIES if operation.asks is not None else ()
    return (*OF_ALL, *posts, *bodies, *operation.problems)
