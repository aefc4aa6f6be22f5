"""What a command says when it cannot go on: one complaint and one documented exit code for every kind of failure."""

import errno
import os
import sys
import traceback
from typing import Any

from typer.exceptions import TyperException

from cairn.exits import Exit, Fault
from cairn.output import complain
from contracts.errors import CairnError

MACHINE = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EROFS: "read_only",
    errno.EACCES: "not_permitted",
    errno.EPERM: "not_permitted",
    errno.ENOENT: "not_there",
    errno.ENOTDIR: "not_there",
    errno.EISDIR: "not_there",
    errno.EMFILE: "too_many_files",
    errno.ECONNREFUSED: "unreachable",
    errno.ETIMEDOUT: "unreachable",
}
"""Failures of the machine, by the code of the complaint; any other `OSError` is a fault of Cairn."""


def tell(error: Exception, *, as_json: bool) -> int:
    """Say why the command failed; its exit code. What nobody foresaw is shown with its traceback."""
    from cairn.settings_faults import settings_wrong

    if isinstance(error, Fault):
        complain(as_json, error.code, str(error))
        return error.exit_code
    if isinstance(error, CairnError):
        complain(as_json, error.code, str(error))
        return Exit.FAILED
    if isinstance(error, TyperException):
        return _tell_usage(error, as_json=as_json)
    if isinstance(error, OSError) and error.errno in MACHINE:
        complain(as_json, MACHINE[error.errno], _of_the_machine(error))
        return Exit.ENVIRONMENT
    if (wrong := settings_wrong(error)) is not None:
        complain(as_json, wrong.code, str(wrong))
        return wrong.exit_code
    traceback.print_exception(error, file=sys.stderr)
    if as_json:
        complain(as_json, "unforeseen", f"{type(error).__name__}: a fault of Cairn; standard error has the traceback.")
    return Exit.FAILED


def _tell_usage(error: Any, *, as_json: bool) -> int:
    """Wrong arguments, in the words of the command line's library."""
    if as_json:
        complain(True, "usage", " ".join(error.format_message().split()))
    else:
        error.show()
    return Exit.USAGE


def _of_the_machine(error: OSError) -> str:
    where = " → ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None)
    return f"{where}: {error.strerror}." if where else f"{error.strerror}."
