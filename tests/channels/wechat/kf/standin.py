"""A stand-in for WeCom's customer service: it keeps messages, and gives them by cursor, in pages of odd sizes."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.channels.wechat.rig import OLD_KEY, Wire, seal, signed, xml

TOKEN = "QDG6eK"
CORPID, SECRET, KFID = "wx5823bf96d3bd56c7", "a kf secret", "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"
CITIZEN = "wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw"


@dataclass
class WeCom:
    """One customer-service account."""

    base: str = ""
    kept: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    welcomed: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    nicknames: dict[str, str] = field(default_factory=dict)
    """By citizen; of who is not here nothing is told."""
    asked_for: list[list[str]] = field(default_factory=list)
    """Of whom nicknames were asked, each time."""
    says_nothing_of_customers: bool = False
    """The account may not ask for them."""
    is_ours: bool = True
    """False: one of WeCom's own people has the conversation."""
    empty_pages: int = 0
    """So many pages are empty though there is more."""
    page: int = 2
    token: str = "token-1"
    token_fetches: int = 0

    def keep(self, kind: str, inner: dict[str, Any], *, origin: int = 3, citizen: str = CITIZEN) -> None:
        """The citizen did something."""
        number = len(self.kept) + 1
        one = {"msgid": f"4WjjZVmdni5oc5PoFfy6UBHtzhW5Hj{number:05d}", "send_time": 1_800_000_000, "origin": origin}
        one |= {"open_kfid": KFID, "msgtype": kind, kind: inner}
        if kind == "event":
            inner |= {"open_kfid": KFID, "external_userid": citizen}
        else:
            one["external_userid"] = citizen
        self.kept.append(one)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/cgi-bin/gettoken", self._gettoken)
        app.router.add_post("/cgi-bin/kf/sync_msg", self._sync)
        app.router.add_post("/cgi-bin/kf/send_msg", self._send)
        app.router.add_post("/cgi-bin/kf/send_msg_on_event", self._welcome)
        app.router.add_post("/cgi-bin/kf/customer/batchget", self._customers)
        app.router.add_get("/cgi-bin/media/get", self._media)
        return app

    async def _gettoken(self, request: web.Request) -> web.Response:
        if (request.query["corpid"], request.query["corpsecret"]) != (CORPID, SECRET):
            return _said(40001, "invalid credential")
        self.token_fetches += 1
        return web.json_response({"errcode": 0, "errmsg": "ok", "access_token": self.token, "expires_in": 7200})

    def _is_known(self, request: web.Request) -> bool:
        return request.query.get("access_token") == self.token

    async def _sync(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _said(42001, "access_token expired")
        body = await request.json()
        assert body["open_kfid"] == KFID
        self.pulls.append(body)
        start = int(body.get("cursor", "c0")[1:])
        if self.empty_pages:
            self.empty_pages -= 1
            page = []
        else:
            page = self.kept[start : start + self.page]
        end = start + len(page)
        return web.json_response(
            {
                "errcode": 0,
                "errmsg": "ok",
                "next_cursor": f"c{end}",
                "has_more": int(end < len(self.kept)),
                "msg_list": page,
            }
        )

    async def _send(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _said(40014, "invalid access_token")
        if not self.is_ours:
            return _said(95018, "send msg session status invalid")
        body = await request.json()
        assert len(body["msgid"]) <= 32
        self.sent.append(body)
        return web.json_response({"errcode": 0, "errmsg": "ok", "msgid": body["msgid"]})

    async def _welcome(self, request: web.Request) -> web.Response:
        self.welcomed.append(await request.json())
        return _said(0, "ok")

    async def _customers(self, request: web.Request) -> web.Response:
        """As in the manual (获取客户基础信息, path/95159), with what else it tells."""
        if not self._is_known(request):
            return _said(42001, "access_token expired")
        body = await request.json()
        asked = body["external_userid_list"]
        assert 1 <= len(asked) <= 100
        self.asked_for.append(asked)
        if self.says_nothing_of_customers:
            return _said(48002, "api forbidden")
        known = [one for one in asked if one in self.nicknames]
        return web.json_response(
            {
                "errcode": 0,
                "errmsg": "ok",
                "customer_list": [
                    {
                        "external_userid": one,
                        "nickname": self.nicknames[one],
                        "avatar": "http://wx.qlogo.cn/0",
                        "gender": 1,
                    }
                    for one in known
                ],
                "invalid_external_userid": [one for one in asked if one not in known],
            }
        )

    async def _media(self, request: web.Request) -> web.Response:
        content_type, content = self.files[request.query["media_id"]]
        return web.Response(body=content, content_type=content_type)


def _said(code: int, text: str) -> web.Response:
    return web.Response(text=json.dumps({"errcode": code, "errmsg": text}), content_type="application/json")


async def called(wire: Wire, token: str = "ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR") -> int:
    """WeCom says that there is something: the status that it is answered."""
    plain = xml({"ToUserName": CORPID, "CreateTime": 1, "MsgType": "event", "Event": "kf_msg_or_event"})
    plain = plain.replace("</xml>", f"<Token><![CDATA[{token}]]></Token><OpenKfId>{KFID}</OpenKfId></xml>")
    sealed = seal(plain, OLD_KEY, CORPID)
    timestamp, nonce = str(int(wire.clock())), str(wire.number())
    query = {"timestamp": timestamp, "nonce": nonce, "msg_signature": signed(TOKEN, timestamp, nonce, sealed)}
    return (await wire.bring(xml({"ToUserName": CORPID, "Encrypt": sealed}).encode(), query))[0]
