"""What stops the start. Each names the key, and says what would be right."""

from __future__ import annotations

from pathlib import Path

from session.errors import YihaoError


class ConfigError(YihaoError):
    """The root of this folder's errors. None is retryable: a person has to change something."""


class UnknownKey(ConfigError):
    """A key that no setting has: a slip of the pen must not silently leave a default in force."""

    def __init__(self, key: str, source: str, nearest: str | None) -> None:
        self.key, self.source, self.nearest = key, source, nearest
        hint = f"; did you mean {nearest}?" if nearest else ""
        super().__init__(f"{source}: there is no setting {key}{hint}")


class BadValue(ConfigError):
    """A value of the wrong type, unit or range. The value itself is not repeated: it may be a secret."""

    def __init__(self, key: str, source: str, wanted: str) -> None:
        self.key, self.source, self.wanted = key, source, wanted
        super().__init__(f"{source}: {key} must be {wanted}")


class UnreadableFile(ConfigError):
    """A configuration file that is missing or is no TOML."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"{path}: {problem}")


class NoDataFolder(ConfigError):
    """The folder that all is kept in cannot be made, or is none."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"the data folder {path} cannot be used: {problem}; name another with --data")


class MissingSecret(ConfigError):
    """A secret without which others could not be trusted."""

    def __init__(self, key: str, mend: str) -> None:
        self.key, self.mend = key, mend
        super().__init__(f"secret {key} is missing: {mend}")


class ExposedSecrets(ConfigError):
    """The file of secrets can be read by other users of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} can be read by others: run `chmod 600 {path}`, and renew what was exposed")
