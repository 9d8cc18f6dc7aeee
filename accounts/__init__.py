"""People who log in: agents, their passwords and telephones' secrets, logins at the desk, the log of presence."""
