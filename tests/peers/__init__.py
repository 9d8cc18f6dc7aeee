"""Real servers that the tests talk to, each in a folder of its own and gone with the test run."""
