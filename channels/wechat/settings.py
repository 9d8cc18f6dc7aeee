"""The official account's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GREETING = "您好，这里是12345政务服务便民热线。请直接写下您的诉求，我们会尽快回复。"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A template that WeChat has reviewed."""

    id: str
    fields: Mapping[str, str]
    """Its fields (`thing1`), each with the parameter of ours that fills it."""
    subscribed: bool = False
    """It reaches those who have subscribed to it (订阅通知); else all followers of a service account (模板消息)."""

    @property
    def path(self) -> str:
        """Of the call that sends it."""
        return "/cgi-bin/message/subscribe/bizsend" if self.subscribed else "/cgi-bin/message/template/send"

    @property
    def link_field(self) -> str:
        """What the call names the page that it leads to."""
        return "page" if self.subscribed else "url"


@dataclass(frozen=True, slots=True)
class WeChatSettings:
    """What the operator decides about one official account. Secrets are never shown by `repr`."""

    appid: str
    """Of the account (AppID); an openid belongs to it, and so stands in every address."""
    secret: str = field(repr=False)
    """The AppSecret, for the access token."""
    token: str = field(repr=False)
    """The Token that was entered beside the webhook's address: signs every push."""
    aes_keys: tuple[str, ...] = field(default=(), repr=False)
    """EncodingAESKeys, the current one first, then the one before it. None: plaintext mode (明文模式)."""
    number: str = "12345"
    """The public number that the account stands for."""
    path: str = "/api/wechat/push"
    """The webhook's, behind the public host name."""
    greeting: str = GREETING
    """What a new follower is told; it costs no message of the send budget. Empty says nothing."""
    human_key: str = "human"
    """The key of the menu's button that asks for a person."""
    api: str = "https://api.weixin.qq.com"
    media_origins: tuple[str, ...] = ("https://mmbiz.qpic.cn",)
    """Besides `api`: where a file may be fetched that the API sends us on for. Scheme, host and port count."""
    media_bytes: int = 10 * 1024 * 1024
    """The largest file that is fetched or sent."""
    fresh_s: float = 300.0
    """How far a push's time may lie from ours."""
    answer_s: float = 4.0
    """Of the five seconds that WeChat waits."""
    media_patience_s: float = 2.0
    """Of those, how long a push may wait for its file; one that takes longer follows its message."""
    owed_every_s: float = 5.0
    """How often files are fetched again that could not be had."""
    api_timeout_s: float = 5.0
    send_patience_s: float = 8.0
    """How long one message may take, with every try; the gateway gives up after ten."""
    part_bytes: int = 2000
    """The longest text of one message, in UTF-8. WeChat's limit is not documented; 2,048 is what others measured."""
    longest_text: int = 2400
    """In characters, over all the messages that it takes: of Chinese these are four, and five may be sent at most."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What notices say in full, with `{parameters}`, by name: for those who may be written to."""
    reviewed: Mapping[str, Reviewed] = field(default_factory=dict)
    """The account's reviewed templates by our name of the notice: for all others."""
    thread_ttl_s: float = 30 * 24 * 3600.0
    """How long a citizen who does not write again is remembered here."""
