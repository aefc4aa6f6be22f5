"""The second wall: a connection that has not said for whom it acts sees nothing, and never more than its own."""

import asyncpg
import pytest

from tests.services.applications.cast import Cast, Issuer
from tests.services.applications.journeys import recorded

GUARDED = (
    "application",
    "document",
    "enrollment",
    "attestation",
    "exam_attempt",
    "credential_award",
    "claim",
    "charge_answer",
    "staff_act",
    "case_view",
    "case_entry",
)
FILLED = ("application", "enrollment", "attestation", "credential_award", "case_view", "case_entry")


async def counts(cast: Cast, local: dict[str, str]) -> dict[str, int]:
    async with cast.doors_db.transaction(local=local) as tx:
        return {table: await tx.fetchval(f"SELECT count(*) FROM {table}") for table in GUARDED}


async def test_every_table_of_a_case_is_guarded_even_against_its_owner(cast: Cast) -> None:
    rows = await cast.owner.fetch(
        "SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity FROM pg_class AS c "
        "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = 'applications' AND c.relkind = 'r'"
    )
    guarded = {row["relname"] for row in rows if row["relrowsecurity"] and row["relforcerowsecurity"]}
    assert guarded == set(GUARDED)
    unguarded = {row["relname"] for row in rows} - guarded
    columns = await cast.owner.fetch(
        "SELECT DISTINCT table_name FROM information_schema.columns "
        "WHERE table_schema = 'applications' AND column_name = 'partner_id'"
    )
    assert not unguarded & {row["table_name"] for row in columns}


async def test_nobody_sees_anything_until_it_says_for_whom_it_acts(cast: Cast, issuer: Issuer) -> None:
    application_id = await cast.submit()
    await recorded(cast, issuer, application_id, await cast.enroll(application_id))
    await cast.follow_own()
    everything = await counts(cast, {"cairn.actor": "service"})
    assert all(everything[table] for table in FILLED)
    nothing = dict.fromkeys(GUARDED, 0)
    for local in (
        {},
        {"cairn.partner_id": ""},
        {"cairn.partner_id": "lookout"},
        {"cairn.provider_id": "cleveland-state"},
        {"cairn.provider_id": "harbor"},
        {"cairn.issuer_id": ""},
        {"cairn.issuer_id": "cyber-guild"},
        {"cairn.actor": "stranger"},
        {"cairn.verification_token": "x" * 32},
    ):
        assert await counts(cast, local) == nothing, local
    own = await counts(cast, {"cairn.partner_id": "harbor"})
    assert {table for table, count in own.items() if count} == set(FILLED) - {"attestation"}
    college = await counts(cast, {"cairn.provider_id": "lorain-ccc"})
    assert {table for table, count in college.items() if count} == {
        "application",
        "enrollment",
        "attestation",
        "credential_award",
    }
    registrar = await counts(cast, {"cairn.issuer_id": "lorain-ccc"})
    assert {table for table, count in registrar.items() if count} == {"application", "enrollment", "attestation"}
    # What one transaction said does not reach the next one on the same connection.
    assert await counts(cast, {}) == nothing


async def test_no_partner_writes_for_another_and_staff_only_read(cast: Cast) -> None:
    application_id = await cast.submit()
    async with cast.doors_db.transaction(local={"cairn.partner_id": "lookout"}) as tx:
        assert await tx.execute("UPDATE application SET county = 'x'") == "UPDATE 0"
    async with cast.doors_db.transaction(local={"cairn.actor": "staff"}) as tx:
        assert await tx.execute("UPDATE application SET county = 'x'") == "UPDATE 0"
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with cast.doors_db.transaction(local={"cairn.partner_id": "harbor"}) as tx:
            await tx.execute("UPDATE application SET partner_id = 'lookout' WHERE application_id = $1", application_id)


@pytest.mark.parametrize(
    "table", ["document", "attestation", "claim", "charge_answer", "staff_act", "credential_award", "case_entry"]
)
async def test_evidence_cannot_be_changed_by_the_service_itself(cast: Cast, table: str) -> None:
    for statement in (f"UPDATE {table} SET application_id = NULL", f"DELETE FROM {table}", f"TRUNCATE {table}"):
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedColumnError)):
            async with cast.service_db.transaction() as tx:
                await tx.execute(statement)
