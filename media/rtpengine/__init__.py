"""Sound that goes through rtpengine, a daemon of its own (docs/decisions/0107-rtpengine.md)."""
