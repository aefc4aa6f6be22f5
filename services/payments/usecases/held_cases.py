"""A case that staff hold is not paid: what no file has yet stays out of batches until it is resumed."""

from contracts.events.applications import StaffAct, StaffActRecorded
from kit.db import Connection
from services.payments.store import funding as funding_store
from services.payments.store import held_cases as store

IS_HELD_AFTER = {StaffAct.HELD: True, StaffAct.RESUMED: False, StaffAct.CLOSED: False}
"""A close ends a hold; the other acts leave it as it is."""


async def follow_staff_act(fact: StaffActRecorded, act_sequence: int, tx: Connection) -> None:
    """Keep the case's payments back, or let them go on. What is in transit already is not called back."""
    is_held = IS_HELD_AFTER.get(fact.act)
    if is_held is None:
        return
    await funding_store.lock_case(tx, fact.application_id)
    await store.take(tx, fact.application_id, is_held=is_held, act_sequence=act_sequence, acted_at=fact.acted_at)
