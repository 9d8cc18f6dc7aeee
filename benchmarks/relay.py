"""How many recorded calls one core carries without a packet lost, beside the bare relay and pyVoIP's echo.

As `bridge`, of which it is a part: the same calls, each recorded to disk.

`--short` makes one round over every fourth level instead of three over all.
"""

from __future__ import annotations

import json

from benchmarks.bridge import in_turn, serve_if_asked

NAMES = ["limit", "recorded", "pyvoip"]


def main() -> None:
    found = in_turn(NAMES, short=serve_if_asked().short)
    limit, recorded = found["limit"].calls, found["recorded"].calls
    line = {
        "name": "relay",
        "value": recorded,
        "limit": limit,
        "ratio": round(recorded / limit, 3) if limit else None,
        "unit": "recorded calls on one core; limit: bare relay",
        "calls": {name: one.calls for name, one in found.items()},
        "core_us_a_packet": {name: one.us_a_packet for name, one in found.items()},
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
