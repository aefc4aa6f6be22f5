"""The Temporal door: the steps that the journey asks of eligibility."""

from contracts.steps.eligibility import DETERMINE, Determination, Determine
from kit.clock import Clock
from kit.db import Database
from kit.telemetry import current_trace
from kit.temporal import implements
from services.eligibility import usecases
from services.eligibility.shelf import PackShelf
from services.eligibility.usecases import Sealer


class EligibilityActivities:
    """One method per step."""

    def __init__(self, *, db: Database, vault: Sealer, shelf: PackShelf, clock: Clock) -> None:
        self._db = db
        self._vault = vault
        self._shelf = shelf
        self._clock = clock

    @implements(DETERMINE)
    async def determine(self, ask: Determine) -> Determination:
        return await usecases.determine(
            ask,
            db=self._db,
            vault=self._vault,
            shelf=self._shelf,
            now=self._clock.now(),
            request_id=current_trace().correlation_id or ask.application_id,
        )
