"""Payees, their accounts, the changes of them and what holds their payments."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from kit.db import Connection
from services.payments.payees.payees import (
    Account,
    AccountState,
    CallBack,
    Change,
    Hold,
    HoldSource,
    Payee,
    PayeeAccountId,
    PayeeChangeId,
    PayeeHoldId,
    Rail,
    TaxClass,
)

PAYEES_MAX = 500

_PAYEE = """provider_id, supplier_number, name, tax_class, location, rail, entry_class, rail_before,
    supplier_number_before, supplier_usable_at, location_before, location_usable_at"""
_ACCOUNT = """account_id, provider_id, holder_name, routing_number, account_type, last_four, sealed_number, state,
    usable_at, prenote_batch_id, prenote_on, ended_reason, correct_by"""
_CHANGE = """change_id, provider_id, source, reference, supplier_number, tax_class, location, rail, entry_class,
    account_id, old_stays, called_person, called_number, called_at, evidence_by, made_by, made_at, checked_by,
    checked_at, withdrawn_by"""
_HOLD = """hold_id, provider_id, source, reference, reason, placed_by, placed_at, release_reason, release_made_by,
    released_by"""

# The first supplier number stays: a program's pack does not redirect payments.
KNOW = """
INSERT INTO payee (provider_id, supplier_number, name, changed_at)
SELECT *, $4 FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (provider_id) DO NOTHING RETURNING provider_id
"""
PAYEE = f"SELECT {_PAYEE} FROM payee WHERE provider_id = $1"
LOCK = f"SELECT {_PAYEE} FROM payee WHERE provider_id = ANY ($1::text[]) ORDER BY provider_id FOR UPDATE"
PAYEES = f"SELECT {_PAYEE} FROM payee ORDER BY provider_id LIMIT $1"
SAVE_PAYEE = """
UPDATE payee SET tax_class = $2, location = $3, rail = $4, entry_class = $5, rail_before = $6, changed_at = $7,
    supplier_number = $8, supplier_number_before = $9, supplier_usable_at = $10,
    location_before = $11, location_usable_at = $12
WHERE provider_id = $1
"""
# A program lists the provider; the number is the payee's, never the list's.
LISTED_PAYEE = f"""
SELECT {_PAYEE} FROM payee WHERE provider_id = $2
    AND EXISTS (SELECT FROM provider AS l WHERE l.program_id = $1 AND l.provider_id = $2)
"""

FORGET_RAIL_BEFORE = "UPDATE payee SET rail_before = NULL, changed_at = $2 WHERE provider_id = $1"

ACCOUNTS = f"""
SELECT {_ACCOUNT} FROM payee_account WHERE provider_id = ANY ($1::text[])
ORDER BY provider_id, usable_at DESC NULLS LAST, account_id DESC
"""
ACCOUNT = f"SELECT {_ACCOUNT} FROM payee_account WHERE account_id = $1"
ADD_ACCOUNT = """
INSERT INTO payee_account (
    account_id, provider_id, holder_name, routing_number, account_type, sealed_number, last_four, state, changed_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8)
"""
ACTIVATE = "UPDATE payee_account SET state = 'active', usable_at = $2, changed_at = $3 WHERE account_id = $1"
CLOSE_OTHERS = """
UPDATE payee_account SET state = 'closed', ended_reason = $3, changed_at = $4
WHERE provider_id = $1 AND account_id <> $2 AND state = 'active'
"""
CLOSE_OLDER = """
UPDATE payee_account SET state = 'closed', ended_reason = $3, changed_at = $4
WHERE provider_id = $1 AND account_id <> $2 AND state = 'active'
    AND usable_at <= (SELECT usable_at FROM payee_account WHERE account_id = $2)
"""
END_ACCOUNT = "UPDATE payee_account SET state = $2, ended_reason = $3, changed_at = $4 WHERE account_id = $1"
# The first notification counts: another one about the same account gives no more time.
CORRECT_BY = """
UPDATE payee_account SET correct_by = least(correct_by, $2), changed_at = $3 WHERE account_id = $1
"""
# A later notification that nobody has dealt with keeps it: the call-back was about the one before.
RIGHT_AS_IT_STANDS = """
UPDATE payee_account AS a SET correct_by = NULL, changed_at = $3
WHERE account_id = $1 AND NOT EXISTS (
    SELECT FROM payment_alert AS n
    WHERE n.provider_id = a.provider_id AND n.code = 'notification_of_change' AND n.raised_at > $2
        AND n.closed_by IS NULL
)
"""
# Where the payee has a newer account, the older one's correction is of no more use.
CORRECTIONS_DUE = f"""
SELECT {_ACCOUNT} FROM payee_account AS a
WHERE state = 'active' AND correct_by <= $1
    AND EXISTS (SELECT FROM payee AS p WHERE p.provider_id = a.provider_id AND p.rail = 'ach')
    AND NOT EXISTS (
        SELECT FROM payee_account AS n
        WHERE n.provider_id = a.provider_id AND n.state = 'active' AND n.usable_at > a.usable_at
    )
ORDER BY correct_by, account_id LIMIT $2
"""
TO_PRENOTE = f"""
SELECT {_ACCOUNT} FROM payee_account AS a
WHERE state = 'active' AND prenote_batch_id IS NULL
    AND EXISTS (SELECT FROM payee AS p WHERE p.provider_id = a.provider_id AND p.rail = 'ach')
    AND NOT EXISTS (SELECT FROM payee_hold AS h WHERE h.provider_id = a.provider_id AND h.released_by IS NULL)
ORDER BY usable_at, account_id LIMIT $1 FOR UPDATE OF a SKIP LOCKED
"""
PRENOTED_BY = f"SELECT {_ACCOUNT} FROM payee_account WHERE prenote_batch_id = $1 ORDER BY account_id FOR UPDATE"
PUT_PRENOTES = "UPDATE payee_account SET prenote_batch_id = $2, changed_at = $3 WHERE account_id = ANY ($1::text[])"
DROP_PRENOTES = "UPDATE payee_account SET prenote_batch_id = NULL, changed_at = $2 WHERE prenote_batch_id = $1"
PRENOTES_SENT = "UPDATE payee_account SET prenote_on = $2, changed_at = $3 WHERE prenote_batch_id = $1"

CHANGE = f"SELECT {_CHANGE} FROM payee_change WHERE change_id = $1 FOR UPDATE"
CHANGES = f"SELECT {_CHANGE} FROM payee_change WHERE provider_id = $1 ORDER BY change_id DESC LIMIT 50"
ADD_CHANGE = """
INSERT INTO payee_change (
    change_id, provider_id, source, reference, tax_class, location, rail, entry_class, account_id, old_stays,
    called_person, called_number, called_at, evidence_by, made_by, made_at, supplier_number
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (provider_id) WHERE checked_by IS NULL AND withdrawn_by IS NULL DO NOTHING RETURNING change_id
"""
ADD_CALL_BACK = """
UPDATE payee_change SET called_person = $2, called_number = $3, called_at = $4, evidence_by = $5 WHERE change_id = $1
"""
APPROVE_CHANGE = "UPDATE payee_change SET checked_by = $2, checked_at = $3 WHERE change_id = $1"
WITHDRAW_CHANGE = "UPDATE payee_change SET withdrawn_by = $2, withdrawn_at = $3 WHERE change_id = $1"

HOLD = f"SELECT {_HOLD} FROM payee_hold WHERE hold_id = $1 FOR UPDATE"
HOLDS = f"SELECT {_HOLD} FROM payee_hold WHERE provider_id = $1 ORDER BY hold_id DESC LIMIT 50"
HELD = "SELECT DISTINCT provider_id FROM payee_hold WHERE provider_id = ANY ($1::text[]) AND released_by IS NULL"
ADD_HOLD = """
INSERT INTO payee_hold (hold_id, provider_id, source, reference, reason, placed_by, placed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (provider_id, source, reference) DO NOTHING RETURNING hold_id
"""
PROPOSE_RELEASE = """
UPDATE payee_hold SET release_reason = $2, release_made_by = $3, release_made_at = $4 WHERE hold_id = $1
"""
RELEASE = "UPDATE payee_hold SET released_by = $2, released_at = $3 WHERE hold_id = $1"


async def know(tx: Connection, payees: Sequence[tuple[str, str, str]], *, now: datetime) -> list[str]:
    """Payees as (provider, supplier number, name); who is known already stays as it is. Returns who is new."""
    columns = [list(column) for column in zip(*payees, strict=True)] or [[], [], []]
    return [row["provider_id"] for row in await tx.fetch(KNOW, *columns, now)]


async def payee(tx: Connection, provider_id: str) -> Payee | None:
    row = await tx.fetchrow(PAYEE, provider_id)
    return _payee(row) if row else None


async def listed_payee(tx: Connection, program_id: str, provider_id: str) -> Payee | None:
    """The payee, where the program lists the provider."""
    row = await tx.fetchrow(LISTED_PAYEE, program_id, provider_id)
    return _payee(row) if row else None


async def lock(tx: Connection, provider_ids: Sequence[str]) -> dict[str, Payee]:
    """These payees, locked in order: no change or hold slips in between the decision and its commit."""
    return {row["provider_id"]: _payee(row) for row in await tx.fetch(LOCK, list(provider_ids))}


async def payees(tx: Connection) -> list[Payee]:
    return [_payee(row) for row in await tx.fetch(PAYEES, PAYEES_MAX)]


async def save_payee(tx: Connection, one: Payee, *, now: datetime) -> None:
    await tx.execute(
        SAVE_PAYEE,
        one.provider_id,
        one.tax_class,
        one.location,
        one.rail,
        one.entry_class,
        one.rail_before,
        now,
        one.supplier_number,
        one.supplier_number_before,
        one.supplier_usable_at,
        one.location_before,
        one.location_usable_at,
    )


async def forget_rail_before(tx: Connection, provider_id: str, *, now: datetime) -> None:
    """Nothing goes back to the earlier rail by itself."""
    await tx.execute(FORGET_RAIL_BEFORE, provider_id, now)


async def accounts(tx: Connection, provider_ids: Sequence[str]) -> dict[str, list[Account]]:
    """Every account of these payees, the newest approved first."""
    found: dict[str, list[Account]] = {}
    for row in await tx.fetch(ACCOUNTS, list(provider_ids)):
        found.setdefault(row["provider_id"], []).append(_account(row))
    return found


async def account(tx: Connection, account_id: str) -> Account | None:
    row = await tx.fetchrow(ACCOUNT, account_id)
    return _account(row) if row else None


async def add_account(tx: Connection, one: Account, *, now: datetime) -> None:
    await tx.execute(
        ADD_ACCOUNT,
        one.account_id,
        one.provider_id,
        one.holder_name,
        one.routing_number,
        one.account_type,
        one.sealed_number,
        one.last_four,
        now,
    )


async def activate(tx: Connection, account_id: str, *, usable_at: datetime, now: datetime) -> None:
    await tx.execute(ACTIVATE, account_id, usable_at, now)


async def close_others(tx: Connection, provider_id: str, account_id: str, reason: str, *, now: datetime) -> None:
    """Nothing more is paid to the payee's other accounts."""
    await tx.execute(CLOSE_OTHERS, provider_id, account_id, reason, now)


async def close_older(tx: Connection, provider_id: str, account_id: str, reason: str, *, now: datetime) -> None:
    """Nothing more is paid to the accounts that the payee had before this one; what it has stated since stays."""
    await tx.execute(CLOSE_OLDER, provider_id, account_id, reason, now)


async def end_account(tx: Connection, account_id: str, state: AccountState, reason: str, *, now: datetime) -> None:
    await tx.execute(END_ACCOUNT, account_id, state.value, reason, now)


async def correct_by(tx: Connection, account_id: str, day: date, *, now: datetime) -> None:
    """The account's bank has notified a change: as it stands it is paid to until that day."""
    await tx.execute(CORRECT_BY, account_id, day, now)


async def right_as_it_stands(tx: Connection, account_id: str, *, notified_at: datetime, now: datetime) -> None:
    """The change that the account's bank notified then is not to be made: it is paid to again, unless more has come."""
    await tx.execute(RIGHT_AS_IT_STANDS, account_id, notified_at, now)


async def corrections_due(tx: Connection, day: date, count_max: int) -> list[Account]:
    """Accounts that nothing newer replaces and that are not paid to as they stand after that day, or before."""
    return [_account(row) for row in await tx.fetch(CORRECTIONS_DUE, day, count_max)]


async def to_prenote(tx: Connection, count_max: int) -> list[Account]:
    """Approved accounts to which no prenote was sent."""
    return [_account(row) for row in await tx.fetch(TO_PRENOTE, count_max)]


async def prenoted_by(tx: Connection, batch_id: str) -> list[Account]:
    return [_account(row) for row in await tx.fetch(PRENOTED_BY, batch_id)]


async def put_prenotes(tx: Connection, account_ids: Sequence[str], batch_id: str, *, now: datetime) -> None:
    await tx.execute(PUT_PRENOTES, list(account_ids), batch_id, now)


async def drop_prenotes(tx: Connection, batch_id: str, *, now: datetime) -> None:
    await tx.execute(DROP_PRENOTES, batch_id, now)


async def prenotes_sent(tx: Connection, batch_id: str, effective_on: date, *, now: datetime) -> None:
    await tx.execute(PRENOTES_SENT, batch_id, effective_on, now)


async def change(tx: Connection, change_id: str) -> Change | None:
    row = await tx.fetchrow(CHANGE, change_id)
    return _change(row) if row else None


async def changes(tx: Connection, provider_id: str) -> list[Change]:
    """The newest fifty."""
    return [_change(row) for row in await tx.fetch(CHANGES, provider_id)]


async def add_change(tx: Connection, one: Change) -> bool:
    """False where another change of this payee is open."""
    called = one.call_back
    added = await tx.fetchval(
        ADD_CHANGE,
        one.change_id,
        one.provider_id,
        one.source,
        one.reference,
        one.tax_class,
        one.location,
        one.rail,
        one.entry_class,
        one.account_id,
        one.old_stays,
        called and called.person,
        called and called.number,
        called and called.at,
        one.evidence_by,
        one.made_by,
        one.made_at,
        one.supplier_number,
    )
    return added is not None


async def add_call_back(tx: Connection, change_id: str, called: CallBack, *, by: str) -> None:
    await tx.execute(ADD_CALL_BACK, change_id, called.person, called.number, called.at, by)


async def approve_change(tx: Connection, change_id: str, *, checker: str, now: datetime) -> None:
    await tx.execute(APPROVE_CHANGE, change_id, checker, now)


async def withdraw_change(tx: Connection, change_id: str, *, by: str, now: datetime) -> None:
    await tx.execute(WITHDRAW_CHANGE, change_id, by, now)


async def hold(tx: Connection, hold_id: str) -> Hold | None:
    row = await tx.fetchrow(HOLD, hold_id)
    return _hold(row) if row else None


async def holds(tx: Connection, provider_id: str) -> list[Hold]:
    """The newest fifty, released ones too."""
    return [_hold(row) for row in await tx.fetch(HOLDS, provider_id)]


async def held(tx: Connection, provider_ids: Sequence[str]) -> set[str]:
    """Which of these payees are held."""
    return {row["provider_id"] for row in await tx.fetch(HELD, list(provider_ids))}


async def add_hold(tx: Connection, one: Hold) -> bool:
    """False where the same hold was placed before, released or not."""
    added = await tx.fetchval(
        ADD_HOLD,
        one.hold_id,
        one.provider_id,
        one.source,
        one.reference,
        one.reason,
        one.placed_by,
        one.placed_at,
    )
    return added is not None


async def propose_release(tx: Connection, hold_id: str, reason: str, *, maker: str, now: datetime) -> None:
    await tx.execute(PROPOSE_RELEASE, hold_id, reason, maker, now)


async def release(tx: Connection, hold_id: str, *, checker: str, now: datetime) -> None:
    await tx.execute(RELEASE, hold_id, checker, now)


def _payee(row: Any) -> Payee:
    values = dict(row)
    values["tax_class"], values["rail"] = TaxClass(values["tax_class"]), Rail(values["rail"])
    values["rail_before"] = Rail(values["rail_before"]) if values["rail_before"] else None
    return Payee(**values)


def _account(row: Any) -> Account:
    values = dict(row)
    values["account_id"], values["state"] = PayeeAccountId(values["account_id"]), AccountState(values["state"])
    return Account(**values)


def _change(row: Any) -> Change:
    values = dict(row)
    person, number, at = values.pop("called_person"), values.pop("called_number"), values.pop("called_at")
    for name, kind in (
        ("change_id", PayeeChangeId),
        ("account_id", PayeeAccountId),
        ("tax_class", TaxClass),
        ("rail", Rail),
    ):
        values[name] = None if values[name] is None else kind(values[name])
    return Change(call_back=CallBack(person, number, at) if person is not None else None, **values)


def _hold(row: Any) -> Hold:
    values = dict(row)
    values["hold_id"], values["source"] = PayeeHoldId(values["hold_id"]), HoldSource(values["source"])
    return Hold(**values)
