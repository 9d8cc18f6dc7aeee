"""Draws a session's timeline as a picture: what happened on which channel, from the history that the gateway gives.

The lanes are the channels, one below the other is later; a person who was not there can read the story from it.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.peers.browser import Window

LANES = {
    "phone": "电话",
    "webchat": "网页",
    "browser": "网页通话",
    "wechat": "微信",
    "wechat_kf": "微信客服",
    "sms": "短信",
    "govapi": "政务平台",
}
SPOKEN = ("phone", "browser")
"""Where nobody writes."""
STYLE = """
body { margin: 0; padding: 24px; background: #f4f6f9; color: #1b2733; font: 15px/1.5 "Noto Sans CJK SC", sans-serif; }
h1 { margin: 0; font-size: 20px; } .sub { margin: 0 0 16px; color: #5a6b7d; }
table { border-collapse: collapse; width: 100%; background: #fff; border-radius: 8px; overflow: hidden; }
th { padding: 8px; background: #0b57a4; color: #fff; font-weight: 600; text-align: left; }
td { padding: 5px 8px; border-top: 1px solid #e6ebf1; vertical-align: top; }
td.at { width: 76px; color: #5a6b7d; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.live { background: #eef6ee; } td.away { background: #fff6e5; }
.who { color: #0b57a4; font-weight: 600; } .ours { color: #8a4b00; } .dim { color: #5a6b7d; }
.entry { display: inline-block; padding: 1px 8px; border-radius: 10px; background: #eef3f9; overflow-wrap: anywhere; }
.message { background: #fff; border: 1px solid #c8d4e2; } .bad { background: #fdecec; color: #a01919; }
.good { background: #e3f4e6; color: #17632a; }
"""


async def draw_timeline(window: Window, title: str, entries: Sequence[Mapping[str, Any]], file: Path) -> None:
    """The picture of a timeline, of a session or of a person, as the gateway gives it. `window` is used up by it."""
    await window.show(page(title, entries))
    await window.picture(file, whole=True)


def page(title: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """The page that is photographed."""
    lanes = lanes_of(entries)
    begin = entries[0]["entry"]["at"] if entries else 0.0
    states = dict.fromkeys(lanes, "")
    owners: dict[str, str] = {}
    written: dict[str, str] = {}
    rows = []
    for placed in entries:
        entry, session = placed["entry"], placed.get("session", "")
        lane = lane_of(entry, owners, lanes, written.get(session, ""))
        follow(entry, states, owners)
        if _came(entry) and entry["channel"] not in SPOKEN:
            written[session] = entry["channel"]
        elif entry["kind"] == "wrap":
            states[written.get(session, "")] = ""
        text = words(entry)
        if not text:
            continue
        cells = "".join(f'<td class="{states[one]}">{text if one == lane else ""}</td>' for one in lanes)
        rows.append(f'<tr><td class="at">+{entry["at"] - begin:.1f} s</td>{cells}</tr>')
    matters = len({one.get("session", "") for one in entries})
    whole = "一次诉求" if matters == 1 else f"一位市民的 {matters} 次诉求"
    head = "".join(f"<th>{html.escape(LANES.get(one, one))}</th>" for one in lanes)
    return (
        f"<!doctype html><meta charset='utf-8'><style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<p class='sub'>{whole}，{len(lanes) - 1} 个渠道；每行是时间线上的一条 · the real history</p>"
        f"<table><tr><th>时间</th>{head}</tr>{''.join(rows)}</table>"
    )


def lanes_of(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The channels that it touches, in the order in which it came to them; the house itself stands last."""
    found: dict[str, None] = {}
    for placed in entries:
        entry = placed["entry"]
        if _came(entry) or entry["kind"] in ("notice", "failure"):
            found[entry["channel"]] = None
    return [*found, "坐席与排队"]


def _came(entry: Mapping[str, Any]) -> bool:
    """The citizen is on one more channel."""
    return bool(entry["kind"] == "leg" and entry["what"] == "opened" and entry["who"]["kind"] == "citizen")


def lane_of(entry: Mapping[str, Any], owners: Mapping[str, str], lanes: Sequence[str], written: str) -> str:
    """Whose lane an entry stands in; `written` is where the citizen writes in that session."""
    is_citizens = entry["who"]["kind"] == "citizen"
    written = written or next((one for one in reversed(lanes[:-1]) if one not in SPOKEN), "")
    match entry["kind"]:
        case "leg":
            channel = owners.get(entry["leg"], entry["channel"] if is_citizens else "")
        case "text" | "file" | "location" if is_citizens:
            channel = written
        case "event" if entry["what"] == "link_opened":
            channel = written
        case "event" if entry["what"] in ("place", "digit", "place_kept"):
            channel = lanes[0]
        case _:
            channel = entry.get("channel", "")
    return channel if channel in lanes else lanes[-1]


def follow(entry: Mapping[str, Any], states: dict[str, str], owners: dict[str, str]) -> None:
    """Which channels the citizen is on after an entry."""
    if entry["kind"] != "leg":
        return
    if entry["what"] == "opened" and entry["who"]["kind"] == "citizen":
        owners[entry["leg"]] = entry["channel"]
        states[entry["channel"]] = "live"
    lane = owners.get(entry["leg"])
    if lane is not None and entry["what"] in ("away", "back", "closed"):
        states[lane] = {"away": "away", "back": "live", "closed": ""}[entry["what"]]


_LEG = {
    "opened": "接入",
    "away": "连接中断，等待恢复",
    "back": "重新连上",
    "joined": "通话接通",
    "closed": "断开",
    "silent": "没有声音传来",
    "held": "保持",
    "unheld": "恢复",
    "muted": "静音",
    "unmuted": "取消静音",
}
_OFFER = {
    "made": "派给",
    "accepted": "接入",
    "declined": "拒绝",
    "expired": "未应答",
    "rescinded": "收回",
    "cancelled": "取消",
}
_DIAL = {
    "requested": "请求电话沟通",
    "waiting": "坐席正忙，稍后接通",
    "started": "拨打市民电话",
    "failed": "没有打通",
    "reached": "坐席确认已联系上",
    "machine": "坐席标记为语音信箱，仍欠回电",
}
_DETAILS = {
    "opened": "",
    "switch": "",
    "picture": "",
    "tel": "号码",
    "sms_code": "（短信验证码）",
    "qr_scan": "（扫码）",
    "switch_link": "（打开链接）",
}
_EVENT = {
    "opened": "市民发起诉求",
    "human_requested": "要求转人工",
    "digit": "按键",
    "place": "播报排队位置 第",
    "place_kept": "保留排队位置，改用其他方式继续",
    "picture_requested": "请市民发送照片和位置",
    "link_failed": "链接没有发出去",
    "link_opened": "市民打开了链接",
    "verification_asked": "核验号码",
    "address_verified": "核验通过，合并为一位市民：",
    "address_parted": "撤销合并",
    "parked": "挂起",
    "resumed": "继续处理",
    "finished": "会话结束",
    "assignee_away": "坐席离线",
    "assignee_back": "坐席恢复",
}
_END = {"lost": "（中断）", "hangup": "（挂机）", "left": "（超时）", "node_lost": "（节点故障）", "closed": ""}
_TEMPLATE = {"link": "续办链接", "picture": "传照片的链接", "code": "验证码", "reply": "答复"}


def words(entry: Mapping[str, Any]) -> str:
    """An entry in words; empty for what is not told in a picture."""
    who, kind = entry["who"], entry["kind"]
    by = f"<span class='{'who' if who['kind'] == 'citizen' else 'ours'}'>{html.escape(_named(who))}</span> "
    match kind:
        case "text":
            return f"{by}<span class='entry message'>{html.escape(entry['text'])}</span>"
        case "file":
            return f"{by}<span class='entry message'>图片 {html.escape(entry['file']['name'])}</span>"
        case "location":
            where = entry["location"]
            return f"{by}<span class='entry message'>位置 {where['latitude']:.5f}, {where['longitude']:.5f}</span>"
        case "leg":
            whose = "坐席话机 " if who["kind"] == "agent" else ""
            return f"<span class='entry'>{whose}{_LEG[entry['what']]}{_END.get(entry['reason'], '')}</span>"
        case "offer":
            style = "good" if entry["what"] == "accepted" else ""
            return f"<span class='entry {style}'>{_OFFER[entry['what']]} {html.escape(who['name'])}</span>"
        case "notice":
            what = _TEMPLATE.get(entry["template"], entry["template"])
            return f"<span class='entry good'>发出{html.escape(what)}</span>"
        case "failure":
            return f"<span class='entry bad'>未送达 {html.escape(entry['reason'])}</span>"
        case "event":
            return f"<span class='entry'>{_EVENT.get(entry['what'], entry['what'])} {_detail(entry)}</span>"
        case "wrap":
            return f"<span class='entry good'>整理完成 {html.escape(entry['subject'])}</span>"
        case "note":
            return f"<span class='dim'>备注：{html.escape(entry['text'])}</span>"
        case "dial":
            why = html.escape(entry["reason"] or "")
            style = {"failed": "bad", "machine": "bad", "reached": "good"}.get(entry["what"], "")
            return f"<span class='entry {style}'>{_DIAL[entry['what']]} {why}</span>"
        case "transfer":
            return f"<span class='entry'>转给 {html.escape(entry['to'] or entry['queue'])}</span>"
    return ""


def _named(who: Mapping[str, str]) -> str:
    return {"citizen": "市民", "system": "系统", "bot": "机器人"}.get(who["kind"], f"工号 {who['name']}")


def _detail(entry: Mapping[str, Any]) -> str:
    words = (_DETAILS.get(word, word) for word in entry["detail"].split(" "))
    return html.escape(" ".join(words))
