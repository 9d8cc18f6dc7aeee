"""WeChat's own published examples, and wechatpy on the other side."""

import base64
import contextlib
import json
import struct

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from wechatpy.crypto import WeChatCrypto

from channels.wechat.cipher import MessageKey
from channels.wechat.errors import PushUndecipherable
from channels.wechat.push import Account, challenge, open_push
from channels.wechat.signature import sign
from tests.channels.wechat.rig import APPID, KEY, TOKEN, seal

# developers.weixin.qq.com, 消息推送 and 消息加解密说明: Token AAAAA, EncodingAESKey 43 times A.
OFFICIAL = Account("AAAAA", [MessageKey.parse("A" * 43, "wxba5fad812f8e6fb9")], 300.0)
ENCRYPT = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsX"
    "UnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajA"
    "sjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="


def test_the_address_is_proven_as_in_the_manual() -> None:
    query = {
        "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
        "echostr": "4375120948345356249",
        "timestamp": "1714036504",
        "nonce": "1514711492",
    }
    assert challenge(OFFICIAL, query, 1714036504.0) == "4375120948345356249"


def test_a_plain_push_of_the_manual_is_believed() -> None:
    query = {
        "signature": "899cf89e464efb63f54ddac96b0a0a235f53aa78",
        "timestamp": "1714037059",
        "nonce": "486452656",
    }
    body = {
        "ToUserName": "gh_97417a04a28d",
        "FromUserName": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
        "CreateTime": 1714037059,
        "MsgType": "event",
        "Event": "debug_demo",
        "debug_str": "hello world",
    }
    plain = Account("AAAAA", [], 300.0)
    push = open_push(plain, query, json.dumps(body).encode(), 1714037059.0)
    assert push.fields["debug_str"] == "hello world"
    assert push.json


def test_a_sealed_push_of_the_manual_is_opened() -> None:
    query = {
        "signature": "6c5c811b55cc85e0e1b54100749188c20beb3f5d",
        "timestamp": "1714112445",
        "nonce": "415670741",
        "openid": "o9AgO5Kd5ggOC-bXrbNODIiE3bGY",
        "encrypt_type": "aes",
        "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    }
    body = json.dumps({"ToUserName": "gh_97417a04a28d", "Encrypt": ENCRYPT}).encode()
    push = open_push(OFFICIAL, query, body, 1714112445.0)
    assert push.fields["FromUserName"] == "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
    assert push.fields["Event"] == "debug_demo"
    assert push.key == OFFICIAL.keys[0]


def test_a_reply_is_sealed_to_the_byte_as_in_the_manual() -> None:
    key = OFFICIAL.keys[0]
    assert key.encrypt('{"demo_resp":"good luck"}', salt=b"707722b803182950") == REPLY
    assert sign("AAAAA", "1713424427", "415670741", REPLY) == "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"


def test_the_examples_of_the_sample_code() -> None:
    """WXBizMsgCryptTest.java of WeChat's sample code: the salt and what it encrypts to."""
    key = MessageKey.parse("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "wxb11529c136998cb6")
    sealed = "jn1L23DB+6ELqJ+6bruv21Y6MD7KeIfP82D6gU39rmkgczbWwt5+3bnyg5K55bgVtVzd832WzZGMhkP72vVOfg=="
    assert key.encrypt("我是中文abcd123", salt=b"aaaabbbbccccdddd") == sealed
    assert key.decrypt(sealed) == "我是中文abcd123"


def test_the_compatible_mode_example_of_the_sample_code() -> None:
    """The push of the C++ and C# sample code, with plain and sealed fields side by side."""
    account = Account("spamtest", [MessageKey.parse(KEY, "wx2c2769f8efd9abc2")], 300.0)
    query = {
        "timestamp": "1409735669",
        "nonce": "1320562132",
        "msg_signature": "5d197aaffba7e9b25a30732f161a50dee96bd5fa",
    }
    body = (
        b"<xml><ToUserName><![CDATA[gh_10f6c3c3ac5a]]></ToUserName><FromUserName><![CDATA[oyORnuP8q7ou2gfYjqLzSIWZf0rs]]>"
        b"</FromUserName><CreateTime>1409735668</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        b"<Content><![CDATA[not what was sealed]]></Content><MsgId>6054768590064713728</MsgId><Encrypt><![CDATA["
        b"hyzAe4OzmOMbd6TvGdIOO6uBmdJoD0Fk53REIHvxYtJlE2B655HuD0m8KUePWB3+LrPXo87wzQ1QLvbeUgmBM4x6F8PGHQHFVAFmOD2LdJF9"
        b"FrXpbUAh0B5GIItb52sn896wVsMSHGuPE328HnRGBcrS7C41IzDWyWNlZkyyXwon8T332jisa+h6tEDYsVticbSnyU8dKOIbgU6ux5VTjg3y"
        b"t+WGzjlpKn6NPhRjpA912xMezR4kw6KWwMrCVKSVCZciVGCgavjIQ6X8tCOp3yZbGpy0VxpAe+77TszTfRd5RJSVO/HTnifJpXgCSUdUue1v"
        b"6h0EIBYYI1BD1DlD+C0CR8e6OewpusjZ4uBl9FyJvnhvQl+q5rv1ixrcpCumEPo5MJSgM9ehVsNPfUM669WuMyVWQLCzpu9GhglF2PE="
        b"]]></Encrypt></xml>"
    )
    push = open_push(account, query, body, 1409735669.0)
    assert push.fields["Content"] == "abcdteT"
    assert push.fields["FromUserName"] == "oyORnuP8q7ou2gfYjqLzSIWZf0rs"


@pytest.mark.parametrize("text", ["", "a", "中" * 7, "x" * 11, "x" * 12, "x" * 13, "😀" * 500])
def test_wechatpy_opens_what_we_seal_and_we_what_it_seals(text: str) -> None:
    key = MessageKey.parse(KEY, APPID)
    assert key.decrypt(seal(text)) == text
    sealed = key.encrypt(text)
    envelope = f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    crypto = WeChatCrypto(TOKEN, KEY, APPID)
    assert crypto.decrypt_message(envelope, sign(TOKEN, "1", "n", sealed), "1", "n") == text


def test_an_appid_that_begins_as_ours_is_another() -> None:
    with pytest.raises(PushUndecipherable):
        MessageKey.parse(KEY, APPID).decrypt(seal("hello", appid=APPID + "0"))


@pytest.mark.parametrize("at", range(0, 64, 3))
def test_a_bit_that_fell_over_opens_nothing_or_changes_nothing_but_the_text(at: int) -> None:
    """CBC alone protects nothing; the signature does. What is left must fail in one way only, or be a text."""
    sealed = bytearray(base64.b64decode(seal("hello")))
    sealed[at] ^= 1
    with contextlib.suppress(PushUndecipherable):
        MessageKey.parse(KEY, APPID).decrypt(base64.b64encode(sealed).decode())


@pytest.mark.parametrize("pad", [0, 33, 255])
def test_padding_is_looked_at_in_full(pad: int) -> None:
    key = MessageKey.parse(KEY, APPID)
    plain = b"r" * 16 + struct.pack("!I", 5) + b"hello" + APPID.encode()
    right = 32 - len(plain) % 32
    for tail in (bytes([pad]) * right, b"\0" * (right - 1) + bytes([right])):
        encryptor = Cipher(AES(key.key), CBC(key.key[:16])).encryptor()
        sealed = base64.b64encode(encryptor.update(plain + tail) + encryptor.finalize()).decode()
        with pytest.raises(PushUndecipherable):
            key.decrypt(sealed)
