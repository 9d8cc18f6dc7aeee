"""Text messages (短信) by several carriers: one channel, whoever brings the text."""
