"""Whether a citizen asks for a human, or says goodbye. Pure.

Only a message that says nothing else counts: 人工湖 is a lake and 人工费 a fee, and who complains about a travel agent
does not ask for one.
"""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 60
"""Characters; who writes more says more than that."""


def _any_of(words: str) -> str:
    """Any number of these words, the longest first, never reconsidered: a search through all ways would not end."""
    return f"(?:{'|'.join(sorted(words.split(), key=len, reverse=True))})*+"


_BEFORE = _any_of(
    "我 你 您 你好 您好 喂 好 好的 那 请 请问 麻烦 帮 帮忙 给 让 把 要 要求 想 想要 需要 必须 希望 "
    "找 转 转到 转接 转接到 接 接入 接通 呼叫 联系 切换 切换到 换 换成 用 打 叫 来 一下 个 一个 直接 "
    "赶紧 马上 快 快点 能 能不能 可以 可不可以 能否 跟 和 与 对 有没有 有 是 只 就"
)
_AFTER = _any_of(
    "人工 的 客服 服务 坐席 座席 话务员 接听 接待 解答 处理 回复 回答 台 人员 员 一下 吧 啊 呀 呢 吗 "
    "么 嘛 哦 了 好吗 好么 行吗 可以吗 谢谢 多谢 谢了 您 你 说话 说 聊 聊聊 通话 沟通 对话 在吗 在不在 有吗"
)
_CHINESE = re.compile(f"{_BEFORE}(?:人工|真人|活人){_AFTER}")

_HUMANS = frozenset({"human", "humans", "agent", "operator", "representative", "person", "somebody", "someone"})
_AROUND = frozenset(
    [
        "hi",
        "hello",
        "please",
        "pls",
        "i",
        "i'd",
        "id",
        "would",
        "like",
        "want",
        "wanna",
        "need",
        "to",
        "get",
        "me",
        "talk",
        "speak",
        "chat",
        "with",
        "connect",
        "transfer",
        "switch",
        "give",
        "a",
        "an",
        "the",
        "real",
        "live",
        "customer",
        "service",
        "support",
        "can",
        "could",
        "you",
        "let",
        "now",
        "being",
        "thanks",
        "thank",
        "my",
    ]
)
_FAREWELL = re.compile(
    _any_of("好 好的 谢谢 您 你 那")
    + "(?:再见|拜拜|结束|没有了|没事了|不用了|bye|goodbye|byebye|end)"
    + _any_of("谢谢 了 吧 您 你")
)


def wants_human(text: str) -> bool:
    """人工, 转人工, "human", "an agent please", with whatever spaces and punctuation."""
    if len(text) > _LONGEST:
        return False
    plain = unicodedata.normalize("NFKC", text).lower()
    if _CHINESE.fullmatch(_letters(plain)):
        return True
    words = re.findall(r"[a-z']+", plain)
    said = [word for word in words if word not in _AROUND]
    return _letters(plain).isascii() and bool(said) and all(word in _HUMANS for word in said)


def says_goodbye(text: str) -> bool:
    """再见, 没有了, "bye"."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return len(text) <= _LONGEST and _FAREWELL.fullmatch(_letters(plain)) is not None


def _letters(text: str) -> str:
    return "".join(one for one in text if one.isalnum())
