"""What the doors take and show of money that a provider pays back."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from contracts.money import PositiveCents
from contracts.texts import Reference
from services.payments.claims.recoveries import RecoveryId
from services.payments.store.recoveries import Recovery

LineId = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,100}$")]


class NewRecovery(BaseModel):
    """A provider paid back so much: the bank's line that shows it, or the document, one of the two."""

    model_config = ConfigDict(extra="forbid")

    cents: PositiveCents
    line_id: LineId | None = None
    document: Reference | None = None

    @model_validator(mode="after")
    def _one_evidence(self) -> "NewRecovery":
        if (self.line_id is None) == (self.document is None):
            raise ValueError("a line of the bank or a document, one of the two")
        return self


class RecoveryShown(BaseModel):
    """Where a recovery stands; posted once another person approved it."""

    model_config = ConfigDict(frozen=True)

    recovery_id: RecoveryId
    refund_id: str
    cents: PositiveCents
    line_id: str | None
    document: str | None
    state: Literal["proposed", "withdrawn", "posted"]
    made_by: str
    checked_by: str | None


def recovery_shown(recovery: Recovery) -> RecoveryShown:
    return RecoveryShown.model_validate(recovery, from_attributes=True)
