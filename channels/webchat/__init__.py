"""The chat on the citizen's page: text, files and their states, over the socket protocol of `realtime`."""
