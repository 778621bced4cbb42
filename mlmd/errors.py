"""The package's errors; each says where, what was found, what was expected and what to do."""


class MlmdError(Exception):
    """Base of every error that `mlmd` raises on purpose; its text is meant for the user."""


class InvalidInput(MlmdError):
    """A value, file or setting can't be used.

    Args:
        where: the file, frame, line or setting, for example ``"vasprun.xml: ionic step 17"``.
        found: what is there.
        expected: what would have been right.
        action: what the user can do; may be empty where nothing can be done.
    """

    def __init__(self, where: str, found: str, expected: str, action: str = "") -> None:
        self.where, self.found, self.expected, self.action = where, found, expected, action
        super().__init__(where, found, expected, action)

    def __str__(self) -> str:
        text = f"{self.where}: {self.found}; expected {self.expected}."
        return f"{text} {self.action}".rstrip()


class FormatError(InvalidInput):
    """A file isn't what it claims to be, or is damaged beyond what can be kept."""


class HostileInput(FormatError):
    """A file was refused for safety: DTD or entities, a decompression bomb, an absurd size."""


class Cancelled(MlmdError):
    """The run was asked to stop and did so in order."""
