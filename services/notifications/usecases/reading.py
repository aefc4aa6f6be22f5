"""Read the log of who was told what."""

from contracts.errors import NotFound
from contracts.ids import ApplicationId
from kit.db import Database
from services.notifications.store import cases
from services.notifications.store import notices as store
from services.notifications.store.notices import NoticeRecord


async def notices_of(application_id: ApplicationId, *, partner_id: str | None, db: Database) -> list[NoticeRecord]:
    """The notices of one case. A partner sees its own cases and learns nothing of others; None is staff."""
    async with db.transaction() as tx:
        case = await cases.read_case(tx, application_id)
        if case is None or (partner_id is not None and case.partner_id != partner_id):
            raise NotFound(kind="application")
        return await store.notices_of_case(tx, application_id)
