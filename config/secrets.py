"""Keys that the machine needs and no person has to think of: made once, kept in the data folder, mode 600."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
from dataclasses import dataclass, fields
from pathlib import Path

from config.errors import ExposedSecrets, MissingSecret, UnreadableFile
from config.secret import Secret
from config.settings import Secrets, Settings

FILE_NAME = "secrets.json"
_KEY_BYTES = 32
_LARGEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class MachineSecrets:
    """Keys in force: each from the settings where it is set there, else from the data folder."""

    resume_key: Secret
    cookie_key: Secret
    pepper: Secret


def machine_secrets(settings: Settings) -> MachineSecrets:
    """The keys; made at the first start. Raises `ExposedSecrets`, `MissingSecret`, `UnreadableFile`."""
    set_ones = {one.name: getattr(settings.secrets, one.name) for one in fields(Secrets)}
    if all(set_ones.values()):
        return MachineSecrets(**set_ones)
    path = settings.data / FILE_NAME
    _make_once(path)
    kept = _read(path)
    for name, given in set_ones.items():
        if not given and not kept.get(name):
            mend = f"set secrets.{name} to what it was, or remove {path} to have all made anew"
            raise MissingSecret(f"secrets.{name}", mend)
    return MachineSecrets(**{name: given or Secret(kept[name]) for name, given in set_ones.items()})


def _make_once(path: Path) -> None:
    """Two processes may start at once on one folder: the link makes one of them the maker, and the file whole."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    made = {one.name: secrets.token_hex(_KEY_BYTES) for one in fields(Secrets)}
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    except OSError as error:
        raise UnreadableFile(path, error.strerror or "cannot be made") from error
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, str]:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ExposedSecrets(path)
        with path.open("rb") as file:
            kept = json.loads(file.read(_LARGEST_BYTES))
    except (OSError, ValueError) as error:
        raise UnreadableFile(path, "is no file of secrets") from error
    if not isinstance(kept, dict) or not all(isinstance(value, str) for value in kept.values()):
        raise UnreadableFile(path, "is no file of secrets")
    return kept
