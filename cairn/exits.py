"""Exit codes of every `cairn` command: one table, shown by `cairn --help`."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code says."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_RUNNING = 3
    ALREADY_RUNNING = 4
    ENVIRONMENT = 5
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "the command did what it could, and something failed",
    Exit.USAGE: "wrong arguments or settings",
    Exit.NOT_RUNNING: "the local stack is not running",
    Exit.ALREADY_RUNNING: "the local stack is already running",
    Exit.ENVIRONMENT: "this machine lacks something: a free port, disk, a folder it may write, network, an engine",
    Exit.INTERRUPTED: "ended by Ctrl-C or a stop signal",
}


class Fault(Exception):
    """A failure with a message for people; it ends a command with `exit_code`."""

    exit_code: Exit = Exit.FAILED
    code: str = "failed"


def table() -> str:
    """The exit codes as one paragraph, for `--help`."""
    return "Exit codes: " + " · ".join(f"{int(code)} {meaning}" for code, meaning in MEANINGS.items()) + "."
