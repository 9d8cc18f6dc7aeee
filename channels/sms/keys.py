"""The names of what all nodes share about text messages. No number stands in them, only its keyed hash."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Keys:
    """Eleven digits are soon tried out, so a plain hash would hide nothing: the pepper does."""

    pepper: bytes = field(repr=False)

    def digest(self, *parts: str) -> str:
        """A name that says nothing of what it is made of."""
        whole = "\x1f".join(parts).encode("utf-8", "replace")
        return hmac.digest(self.pepper, whole, hashlib.sha256).hex()[:32]

    def word(self, carrier: str, message: str) -> str:
        """A citizen's text by its carrier's id: names the message, and its repetitions."""
        return f"sms-{self.digest('word', carrier, message)}"

    def slot(self, word: str, number: int) -> str:
        """One of several texts that cannot be told apart."""
        return f"sms:slot:{word}:{number}"

    def media(self, word: str, number: int) -> str:
        """A file of a message, once it is kept."""
        return f"sms:media:{word}:{number}"

    def whole(self, carrier: str, sender: str, recipient: str, reference: int, total: int) -> str:
        """The parts of one long text. Sender and recipient are in it: two citizens' references may be the same."""
        return self.digest("whole", carrier, sender, recipient, str(reference), str(total))

    def parts(self, whole: str) -> str:
        """Where its parts are kept."""
        return f"sms:parts:{whole}"

    def seen(self, carrier: str, part: str) -> str:
        """A part that is kept, or was."""
        return f"sms:seen:{self.digest('seen', carrier, part)}"

    def dispatch(self, owner: str, message: str) -> str:
        """Names a message to a citizen, to us and to its carrier."""
        return self.digest("dispatch", owner, message)

    def sent(self, dispatch: str) -> str:
        """What is known of it."""
        return f"sms:sent:{dispatch}"

    def attempt(self, dispatch: str, number: int) -> str:
        """Noted before it is handed to a carrier."""
        return f"sms:attempt:{dispatch}:{number}"

    def fates(self, dispatch: str) -> str:
        """What has been reported of its segments."""
        return f"sms:fates:{dispatch}"

    def receipt(self, carrier: str, receipt: str) -> str:
        """To which message a carrier's id belongs."""
        return f"sms:receipt:{self.digest('receipt', carrier, receipt)}"

    def early(self, carrier: str, receipt: str) -> str:
        """A report that came before the carrier's answer."""
        return f"sms:early:{self.digest('early', carrier, receipt)}"

    def opted_out(self, citizen: str) -> str:
        """The citizen wants no notices."""
        return f"sms:optout:{self.digest('optout', citizen)}"

    def number_bucket(self, citizen: str) -> str:
        """How many messages a number gets."""
        return f"sms:to:{self.digest('to', citizen)}"

    def campaign_bucket(self, campaign: str) -> str:
        """How many notices of a campaign go out."""
        return f"sms:campaign:{self.digest('campaign', campaign)}"
