"""The queue, the sessions' logs and the state that nodes share. The only folder that knows Redis."""
