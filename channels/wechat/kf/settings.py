"""A customer-service account's settings."""

from __future__ import annotations

from dataclasses import dataclass

from channels.wechat.settings import WeChatSettings


@dataclass(frozen=True, slots=True)
class KfSettings:
    """What the operator decides about one account of WeChat customer service."""

    corpid: str
    """The company's, at WeCom; every callback is sealed for it."""
    account: WeChatSettings
    """As an official account has them: `appid` is the account's open_kfid, `secret` that of WeChat customer service,
    `token` and `aes_keys` the callback's, `api` WeCom's server, `path` the callback's own, `greeting` what one who
    enters is told.
    """
    pull_every_s: float = 30.0
    """How often it is asked without a callback, since one may have been lost."""
    page: int = 100
    """Messages of one answer; WeCom gives at most 1,000."""
