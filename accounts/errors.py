"""What accounts refuse. None tells which logins exist to who has not logged in."""

from __future__ import annotations

from session.errors import YihaoError


class AccountError(YihaoError):
    """The root of this folder's errors."""


class AgentUnknown(AccountError):
    """No agent of that login; said to administrators only."""

    def __init__(self, login: str) -> None:
        self.login = login
        super().__init__("there is no such agent")


class AgentTaken(AccountError):
    """The login or the extension is another agent's."""

    def __init__(self, login: str, extension: str | None) -> None:
        self.login, self.extension = login, extension
        super().__init__(f"login {login} or extension {extension or '-'} is taken")


class AgentMalformed(AccountError):
    """Something about an agent that cannot be."""

    def __init__(self, field: str, wanted: str) -> None:
        self.field, self.wanted = field, wanted
        super().__init__(f"{field} must be {wanted}")


class PasswordRefused(AccountError):
    """A password that is too short or too long."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most
        super().__init__(f"a password has {least} to {most} characters")


class WrongPassword(AccountError):
    """Login unknown, password wrong, or account disabled: which of them is not said."""

    def __init__(self) -> None:
        super().__init__("login or password is wrong")


class TooManyAttempts(AccountError):
    """Logins are tried faster than a person types."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"too many attempts; try again in {retry_after_s:.0f} s")


class NotLoggedIn(AccountError):
    """The login is over, was ended, or never was."""

    def __init__(self) -> None:
        super().__init__("not logged in")


class CredentialsUnreadable(AccountError):
    """The file of the demo agents' passwords is not what we wrote."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"{path} is no list of credentials; remove it together with the demo agents, or mend it")
