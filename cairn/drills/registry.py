"""Every drill and every planted fault: what the modules of this folder name `DRILLS` and `FAULTS`."""

import importlib
import pkgutil
from functools import cache
from types import ModuleType
from typing import Any

import cairn.drills
from cairn.drills.drill import Drill, Fault
from cairn.exits import Exit
from cairn.exits import Fault as CommandFault


class UnknownDrill(CommandFault):
    """There is no drill, or no planted fault, of this name."""

    exit_code = Exit.USAGE
    code = "unknown_drill"


@cache
def modules() -> tuple[ModuleType, ...]:
    """The modules of this folder that bring drills or faults."""
    found = [
        importlib.import_module(f"{cairn.drills.__name__}.{each.name}")
        for each in pkgutil.iter_modules(cairn.drills.__path__)
    ]
    return tuple(module for module in found if hasattr(module, "DRILLS") or hasattr(module, "FAULTS"))


def drills() -> dict[str, Drill]:
    """Every drill by name."""
    return _by_name("DRILLS")


def faults() -> dict[str, Fault]:
    """Every planted fault by name; each names a drill that exists."""
    found: dict[str, Fault] = _by_name("FAULTS")
    for fault in found.values():
        drill_of(fault.drill)
    return found


def drill_of(name: str) -> Drill:
    """The drill of this name; `UnknownDrill` where there is none."""
    if name not in drills():
        raise UnknownDrill(f"there is no drill {name}; `cairn drill list` names them")
    return drills()[name]


def fault_of(name: str, drill: str) -> Fault:
    """The fault of this name, to be planted under this drill."""
    found = faults().get(name)
    if found is None or found.drill != drill:
        raise UnknownDrill(f"there is no planted fault {name} of the drill {drill}; `cairn drill list` names them")
    return found


def _by_name(attribute: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for module in modules():
        for each in getattr(module, attribute, ()):
            if each.name in found:
                raise ValueError(f"two of {attribute} are called {each.name}")
            found[each.name] = each
    return found
