"""AES as WeChat uses it (消息加解密): CBC, the key's first half as IV, PKCS#7 to blocks of 32 bytes.

Inside stand 16 random bytes, the message's length in four bytes (network order), the message, and the appid.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from channels.wechat.errors import PushUndecipherable

_BLOCK = 32
_CIPHER_BLOCK = 16
_HEAD = 16 + 4


@dataclass(frozen=True, slots=True)
class MessageKey:
    """One EncodingAESKey of one account."""

    key: bytes = field(repr=False)
    appid: str

    @classmethod
    def parse(cls, encoded: str, appid: str) -> MessageKey:
        """Of the 43 characters that the account's page shows. Raises `ValueError`."""
        key = base64.b64decode(f"{encoded}=".encode(), validate=True)
        if len(key) != 32:
            raise ValueError("an EncodingAESKey has 43 characters")
        return cls(key, appid)

    def encrypt(self, message: str, *, salt: bytes | None = None) -> str:
        """A message for WeChat, in Base64. `salt` is 16 bytes, new ones if it is left out."""
        body = message.encode()
        plain = (salt or secrets.token_bytes(16)) + struct.pack("!I", len(body)) + body + self.appid.encode()
        pad = _BLOCK - len(plain) % _BLOCK
        encryptor = Cipher(AES(self.key), CBC(self.key[:16])).encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def decrypt(self, text: str) -> str:
        """A message from WeChat. Raises `PushUndecipherable`, the same for every fault: the key must not be guessed
        by asking what exactly was wrong.
        """
        try:
            sealed = base64.b64decode(text.encode(), validate=True)
        except binascii.Error:
            raise PushUndecipherable from None
        if not sealed or len(sealed) % _CIPHER_BLOCK:
            raise PushUndecipherable
        decryptor = Cipher(AES(self.key), CBC(self.key[:16])).decryptor()
        return self._message_in(_unpadded(decryptor.update(sealed) + decryptor.finalize()))

    def _message_in(self, plain: bytes) -> str:
        if len(plain) < _HEAD:
            raise PushUndecipherable
        (length,) = struct.unpack_from("!I", plain, 16)
        message, appid = plain[_HEAD : _HEAD + length], plain[_HEAD + length :]
        if len(message) != length or appid != self.appid.encode():
            raise PushUndecipherable
        try:
            return message.decode()
        except UnicodeDecodeError:
            raise PushUndecipherable from None


def _unpadded(plain: bytes) -> bytes:
    """PKCS#7 in full (RFC 5652, section 6.3): every byte of the padding says how long it is."""
    pad = plain[-1]
    if not 1 <= pad <= _BLOCK or plain[-pad:] != bytes([pad]) * pad:
        raise PushUndecipherable
    return plain[:-pad]
