"""The environment of the notifications process."""

from typing import Annotated

from pydantic import Field

from kit.settings import ProcessSettings


class NotificationsSettings(ProcessSettings):
    """What only notifications needs: bounds of the delivery worker, mail, and whose letters stand in for others."""

    webhook_slots_healthy: Annotated[int, Field(ge=1, le=5000)] = 400
    """Attempts under way at once to endpoints that answer. An attempt that hangs holds a slot and no connection to the
    database, so there are enough for dozens of endpoints that begin to hang in the same moment."""
    webhook_slots_failing: Annotated[int, Field(ge=1, le=5000)] = 200
    """Attempts under way at once to endpoints that lately failed: they cannot take the others' slots."""
    webhook_slots_per_endpoint: Annotated[int, Field(ge=1, le=100)] = 8
    notice_slots: Annotated[int, Field(ge=1, le=100)] = 8
    notices_default_program: str = "oh-imap"
    """Whose letters serve a program without a `notices` folder of its own."""
    # Below the lease of a notice, or another worker would send the same letter meanwhile.
    smtp_timeout_seconds: Annotated[float, Field(gt=0, le=25)] = 20.0
