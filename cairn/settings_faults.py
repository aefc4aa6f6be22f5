"""Settings that cannot be used, told by the names of their variables, never by their values: those may be secrets."""

from typing import TYPE_CHECKING

from cairn.exits import Exit, Fault

if TYPE_CHECKING:
    from pydantic import ValidationError


class SettingsWrong(Fault):
    """A `CAIRN_…` variable is missing or cannot be used."""

    exit_code = Exit.USAGE
    code = "settings_wrong"


def settings_wrong(error: Exception) -> SettingsWrong | None:
    """What a failed reading of a settings class says; `None` where `error` is something else."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    if isinstance(error, ValidationError) and error.title.endswith("Settings"):
        return SettingsWrong(f"The environment's settings cannot be used: {_said(error)}.")
    if isinstance(error, SettingsError):
        return SettingsWrong(f"The environment's settings cannot be used: {error}.")
    return None


def _said(error: "ValidationError") -> str:
    told: list[str] = []
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        # A rule about several variables together belongs to none of them.
        name = str(each["loc"][-1]).upper() if each["loc"] else ""
        variable = name if name.startswith("CAIRN_") else f"CAIRN_{name}"
        told.append(f"{variable}: {each['msg']}" if name else each["msg"])
    return "; ".join(told)
