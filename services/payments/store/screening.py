"""The screening list, whom it names, and what finance staff have to look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kit.db import Connection

ADD_SCREENING = """
INSERT INTO screening_entry (list_name, reference, name, name_key, supplier_number, imported_by, imported_at)
SELECT $1, g.*, $6, $7 FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS g
ON CONFLICT (list_name, reference) DO UPDATE SET
    name = excluded.name, name_key = excluded.name_key, supplier_number = excluded.supplier_number
"""
SCREENING_HITS = """
SELECT list_name, reference, name FROM screening_entry
WHERE name_key = ANY ($1::text[]) OR supplier_number = ANY ($2::text[]) ORDER BY list_name, reference LIMIT 20
"""
NAMES_OF_PAYEES = """
SELECT p.provider_id,
    array_remove(
        array_agg(DISTINCT c.supplier_number) || p.supplier_number || p.supplier_number_before, NULL
    ) AS supplier_numbers,
    array_remove(array_agg(DISTINCT a.holder_name), NULL) || p.name AS names
FROM payee AS p LEFT JOIN payee_account AS a ON a.provider_id = p.provider_id AND a.state IN ('proposed', 'active')
LEFT JOIN payee_change AS c ON c.provider_id = p.provider_id AND c.checked_by IS NULL AND c.withdrawn_by IS NULL
WHERE $1::text[] IS NULL OR p.provider_id = ANY ($1::text[])
GROUP BY p.provider_id ORDER BY p.provider_id
"""

RAISE_ALERT = """
INSERT INTO payment_alert (alert_id, code, provider_id, disbursement_id, batch_id, explanation, raised_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (alert_id) DO NOTHING
"""
ALERTS = """
SELECT alert_id, code, provider_id, disbursement_id, batch_id, explanation, raised_at
FROM payment_alert WHERE closed_by IS NULL ORDER BY raised_at DESC, alert_id LIMIT 200
"""
CLOSE_ALERT = """
UPDATE payment_alert SET closed_by = $2, closed_at = $3 WHERE alert_id = $1 AND closed_by IS NULL RETURNING alert_id
"""


@dataclass(frozen=True, slots=True)
class PaymentAlert:
    """What finance staff have to look at."""

    alert_id: str
    code: str
    provider_id: str | None
    disbursement_id: str | None
    batch_id: str | None
    explanation: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class ScreeningEntry:
    """One line of a screening list."""

    reference: str
    name: str
    name_key: str
    supplier_number: str | None


async def add_screening(
    tx: Connection, list_name: str, entries: Sequence[ScreeningEntry], *, imported_by: str, now: datetime
) -> None:
    await tx.execute(
        ADD_SCREENING,
        list_name,
        [one.reference for one in entries],
        [one.name for one in entries],
        [one.name_key for one in entries],
        [one.supplier_number for one in entries],
        imported_by,
        now,
    )


async def screening_hits(
    tx: Connection, name_keys: Sequence[str], supplier_numbers: Sequence[str]
) -> list[tuple[str, str, str]]:
    """List, reference and name of every line that one of these names or supplier numbers is on."""
    rows = await tx.fetch(SCREENING_HITS, list(name_keys), list(supplier_numbers))
    return [(row["list_name"], row["reference"], row["name"]) for row in rows]


async def names_of_payees(tx: Connection, provider_ids: Sequence[str] | None) -> list[tuple[str, list[str], list[str]]]:
    """Provider, every supplier number (proposed ones too) and every name of these payees, or of all."""
    rows = await tx.fetch(NAMES_OF_PAYEES, None if provider_ids is None else list(provider_ids))
    return [(row["provider_id"], list(row["supplier_numbers"]), list(row["names"])) for row in rows]


async def raise_alert(tx: Connection, one: PaymentAlert) -> None:
    """The same alert again changes nothing."""
    await tx.execute(
        RAISE_ALERT,
        one.alert_id,
        one.code,
        one.provider_id,
        one.disbursement_id,
        one.batch_id,
        one.explanation,
        one.raised_at,
    )


async def alerts(tx: Connection) -> list[PaymentAlert]:
    """The newest two hundred that are open."""
    return [PaymentAlert(**dict(row)) for row in await tx.fetch(ALERTS)]


async def close_alert(tx: Connection, alert_id: str, *, by: str, now: datetime) -> bool:
    return await tx.fetchval(CLOSE_ALERT, alert_id, by, now) is not None
