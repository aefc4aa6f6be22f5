"""Payments' copies of programs, payees, applications, enrollments and credentials; alerts to the budget officer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.events.applications import (
    ApplicationSubmitted,
    CredentialRecorded,
    EnrollmentAccepted,
    EnrollmentStarted,
)
from contracts.events.eligibility import ListedProvider, ListedRound, ProgramPublished
from kit.db import Connection
from services.payments.books.waiting import Turn, WaitingOrder, order_of
from services.payments.claims.checks import CredentialCopy, EnrollmentCopy

# The newest version wins: an older one that comes late changes nothing and returns nothing.
TAKE_VERSION = """
INSERT INTO program_version AS v (
    program_id, pack_version, published_at, fiscal_year_start, time_zone, waiting_order, smaller_may_pass
) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (program_id) DO UPDATE SET pack_version = excluded.pack_version, published_at = excluded.published_at,
    fiscal_year_start = coalesce(excluded.fiscal_year_start, v.fiscal_year_start),
    time_zone = coalesce(excluded.time_zone, v.time_zone), waiting_order = excluded.waiting_order,
    smaller_may_pass = excluded.smaller_may_pass
WHERE v.published_at < excluded.published_at
RETURNING program_id
"""
TAKE_ROUNDS = """
INSERT INTO program_round (
    program_id, round_id, fiscal_year, appropriation_cents, per_person_cap_cents, document_reference
)
SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::text[])
ON CONFLICT (program_id, round_id) DO UPDATE SET
    fiscal_year = excluded.fiscal_year, appropriation_cents = excluded.appropriation_cents,
    per_person_cap_cents = excluded.per_person_cap_cents, document_reference = excluded.document_reference
"""
TAKE_PROVIDERS = """
INSERT INTO provider (program_id, provider_id, name, supplier_number)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[])
ON CONFLICT (program_id, provider_id) DO UPDATE SET
    name = excluded.name, supplier_number = excluded.supplier_number
"""
ROUND = """
SELECT fiscal_year, appropriation_cents, per_person_cap_cents FROM program_round
WHERE program_id = $1 AND round_id = $2
"""
LISTS_PROVIDER = "SELECT EXISTS (SELECT FROM provider WHERE program_id = $1 AND provider_id = $2)"
WAITING_ORDER = "SELECT waiting_order, smaller_may_pass FROM program_version WHERE program_id = $1"
KNOWS_PROGRAM = "SELECT EXISTS (SELECT FROM program_version WHERE program_id = $1)"

RAISE_ALERT = """
INSERT INTO budget_alert (
    alert_id, program_id, balance_id, code, published_cents, appropriated_cents, pack_version, raised_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (alert_id) DO NOTHING
"""
ALERTS = """
SELECT balance_id, code, published_cents, appropriated_cents, pack_version, raised_at
FROM budget_alert WHERE program_id = $1 ORDER BY raised_at DESC, alert_id LIMIT 100
"""

TAKE_APPLICATION = """
INSERT INTO application (application_id, person_id, partner_id, program_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (application_id) DO NOTHING
"""
TAKE_ENROLLMENT = """
INSERT INTO enrollment AS e (enrollment_id, application_id, provider_id, credential_id, price_cents, starts_on)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (enrollment_id) DO UPDATE SET price_cents = excluded.price_cents,
    starts_on = coalesce(excluded.starts_on, e.starts_on)
"""
STARTED = "UPDATE enrollment SET started_at = coalesce(started_at, $2) WHERE enrollment_id = $1"
TAKE_CREDENTIAL = """
INSERT INTO credential (application_id, credential_award_id, provider_id, credential_id, earned_on)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (application_id) DO NOTHING
"""
PARTNER = "SELECT partner_id FROM application WHERE application_id = $1"
ENROLLMENT = """
SELECT enrollment_id, application_id, provider_id, credential_id, price_cents FROM enrollment WHERE enrollment_id = $1
"""
CREDENTIAL = "SELECT provider_id, credential_id, earned_on FROM credential WHERE application_id = $1"


@dataclass(frozen=True, slots=True)
class RoundCopy:
    """What payments must know of a round."""

    fiscal_year: int
    appropriation_cents: int | None
    per_person_cap_cents: int | None


@dataclass(frozen=True, slots=True)
class Alert:
    """The books could not follow the published program."""

    balance_id: str
    code: str
    published_cents: int
    appropriated_cents: int
    pack_version: str
    raised_at: datetime


async def take_version(tx: Connection, fact: ProgramPublished) -> bool:
    """Take this version as the current one; False where a newer or the same one is known. Locks the program."""
    order = order_of(fact.waiting_list)
    taken = await tx.fetchval(
        TAKE_VERSION,
        fact.program_id,
        fact.pack_version,
        fact.published_at,
        fact.fiscal_year_start,
        fact.time_zone,
        [turn.value for turn in order.turns],
        order.smaller_may_pass,
    )
    return taken is not None


async def waiting_order(tx: Connection, program_id: str) -> WaitingOrder:
    """How the program orders its waiting list: first come, first served where it does not say."""
    row = await tx.fetchrow(WAITING_ORDER, program_id)
    return WaitingOrder(tuple(map(Turn, row["waiting_order"])), row["smaller_may_pass"]) if row else WaitingOrder()


async def take_rounds(tx: Connection, program_id: str, rounds: Sequence[ListedRound]) -> None:
    await tx.execute(
        TAKE_ROUNDS,
        program_id,
        [r.round_id for r in rounds],
        [r.fiscal_year for r in rounds],
        [r.appropriation_cents for r in rounds],
        [r.per_person_cap_cents for r in rounds],
        [r.document_reference for r in rounds],
    )


async def take_providers(tx: Connection, program_id: str, providers: Sequence[ListedProvider]) -> None:
    await tx.execute(
        TAKE_PROVIDERS,
        program_id,
        [p.provider_id for p in providers],
        [p.name for p in providers],
        [p.supplier_number for p in providers],
    )


async def round_copy(tx: Connection, program_id: str, round_id: str) -> RoundCopy | None:
    row = await tx.fetchrow(ROUND, program_id, round_id)
    return RoundCopy(**dict(row)) if row else None


async def knows_program(tx: Connection, program_id: str) -> bool:
    return bool(await tx.fetchval(KNOWS_PROGRAM, program_id))


async def lists_provider(tx: Connection, program_id: str, provider_id: str) -> bool:
    return bool(await tx.fetchval(LISTS_PROVIDER, program_id, provider_id))


async def raise_alert(tx: Connection, alert_id: str, program_id: str, alert: Alert) -> None:
    await tx.execute(
        RAISE_ALERT,
        alert_id,
        program_id,
        alert.balance_id,
        alert.code,
        alert.published_cents,
        alert.appropriated_cents,
        alert.pack_version,
        alert.raised_at,
    )


async def alerts(tx: Connection, program_id: str) -> list[Alert]:
    """The newest hundred alerts of a program."""
    return [Alert(**dict(row)) for row in await tx.fetch(ALERTS, program_id)]


async def take_application(tx: Connection, fact: ApplicationSubmitted) -> None:
    await tx.execute(TAKE_APPLICATION, fact.application_id, fact.person_id, fact.partner_id, fact.program_id)


async def take_enrollment(tx: Connection, fact: EnrollmentAccepted) -> None:
    await tx.execute(
        TAKE_ENROLLMENT,
        fact.enrollment_id,
        fact.application_id,
        fact.provider_id,
        fact.credential_id,
        fact.price_cents,
        fact.starts_on,
    )


async def started(tx: Connection, fact: EnrollmentStarted) -> None:
    """The day of service is counted from the first report of it."""
    await tx.execute(STARTED, fact.enrollment_id, fact.started_at)


async def take_credential(tx: Connection, fact: CredentialRecorded) -> None:
    await tx.execute(
        TAKE_CREDENTIAL,
        fact.application_id,
        fact.credential_award_id,
        fact.provider_id,
        fact.credential_id,
        fact.earned_on,
    )


async def partner_of(tx: Connection, application_id: str) -> str | None:
    """Through which partner the application came."""
    return await tx.fetchval(PARTNER, application_id)


async def enrollment(tx: Connection, enrollment_id: str) -> EnrollmentCopy | None:
    row = await tx.fetchrow(ENROLLMENT, enrollment_id)
    return EnrollmentCopy(**dict(row)) if row else None


async def credential(tx: Connection, application_id: str) -> CredentialCopy | None:
    row = await tx.fetchrow(CREDENTIAL, application_id)
    return CredentialCopy(**dict(row)) if row else None
