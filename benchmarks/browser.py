"""How many calls of browsers one core carries: the agent's sound under SRTP, the citizen's in the clear, both A-law.

As `bridge`, of which it is a part: DTLS is the matter of a call's first moment (`media.shield`), what each packet costs
is SRTP (AES-128, HMAC-SHA1-80), for which the key is agreed beside the sound here. The limit is rtpengine in
userspace, of which Debian's package may be missing; beside them our own bridge in the clear.

`--short` makes one round over every fourth level instead of three over all.
"""

from __future__ import annotations

import json

from benchmarks.bridge import in_turn, serve_if_asked

NAMES = ["browser", "rtpengine-browser", "ours"]


def main() -> None:
    found = in_turn(NAMES, short=serve_if_asked().short)
    value = found["browser"].calls
    limit = found["rtpengine-browser"].calls if "rtpengine-browser" in found else None
    line = {
        "name": "browser",
        "value": value,
        "limit": limit,
        "ratio": round(value / limit, 3) if limit else None,
        "unit": "browsers' calls on one core; limit: rtpengine",
        "calls": {name: one.calls for name, one in found.items()},
        "core_us_a_packet": {name: one.us_a_packet for name, one in found.items()},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
