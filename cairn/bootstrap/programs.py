"""A program pack on its way to every service, with the schedule that its fiscal year needs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cairn.bootstrap.everything import reaching
from cairn.bootstrap.schedules import ensure_schedules

if TYPE_CHECKING:
    from kit.settings import ProcessSettings


async def publish(settings: "ProcessSettings", folder: Path, *, replace: bool = True) -> dict[str, Any]:
    """Load one pack and set its schedule; may be repeated. `replace=False` leaves a program that is there as it is."""
    from services.eligibility.main import load_program
    from services.eligibility.settings import EligibilitySettings

    done = await load_program(EligibilitySettings.model_validate(settings.model_dump()), folder, replace=replace)
    with reaching("Temporal", settings.temporal_address):
        return done | {"schedules_set": await ensure_schedules(settings)}
