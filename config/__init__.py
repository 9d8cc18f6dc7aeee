"""Start-up settings: default.toml, then a file, the environment and arguments, into frozen dataclasses."""
