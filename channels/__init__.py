"""How citizens come in: one folder a channel, one contract for all."""
