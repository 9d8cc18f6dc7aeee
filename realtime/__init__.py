"""The socket protocol that citizens' pages and agents' desks share; see `docs/protocol.md`."""
