from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from contracts.ids import PersonId
from kit.crypto import Undecipherable, new_key
from kit.db import Database
from kit.vault import VALUE_BYTES_MAX, PersonForgotten, PersonUnknown, ValueTooLarge, Vault
from tests.support.engines import FreshDatabase

KEK, MAC = new_key(), new_key()
SSN = "123-45-6789"


@pytest.fixture
def vault() -> Vault:
    return Vault(kek=KEK, mac_key=MAC, reader="test")


@pytest.fixture
async def owner(service: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(service.owner_dsn)
    yield connection
    await connection.close()


async def test_values_are_stored_encrypted_and_every_read_is_on_record(
    database: Database, owner: asyncpg.Connection, vault: Vault
) -> None:
    person = PersonId.new()
    async with database.transaction() as tx:
        await vault.admit(tx, person)
        await vault.put(tx, person, {"ssn": SSN, "given_name": "Zoë"})
        found = await vault.read(tx, person, ["ssn", "given_name", "middle_name"], purpose="payout", request_id="req_1")
    assert found == {"ssn": SSN, "given_name": "Zoë"}
    rows = await owner.fetch("SELECT * FROM vault.personal_value")
    assert len(rows) == 2
    assert all(SSN not in str(dict(row)) and "Zo" not in str(dict(row)) for row in rows)
    read = await owner.fetchrow("SELECT * FROM vault.key_read ORDER BY id DESC LIMIT 1")
    assert read is not None
    assert (read["subject_id"], read["reader"], read["purpose"], read["request_id"], read["names"]) == (
        person,
        "cairn_applications",
        "test:payout",
        "req_1",
        ["ssn", "given_name", "middle_name"],
    )


async def test_one_call_admits_stores_and_seals(database: Database, vault: Vault) -> None:
    person = PersonId.new()
    async with database.transaction() as tx:
        first = await vault.admit(tx, person, values={"ssn": SSN}, seal={"contact": b"a@b.example"})
        again = await vault.admit(tx, person, values={"ssn": "000-00-0000"}, seal={"contact": b"c@d.example"})
        for sealed, value in ((first, b"a@b.example"), (again, b"c@d.example")):
            opened = await vault.open(
                tx, person, sealed["contact"], label="contact", purpose="notice", request_id="req_1"
            )
            assert opened == value
        assert await vault.read(tx, person, ["ssn"], purpose="p", request_id="r") == {"ssn": "000-00-0000"}


async def test_many_are_admitted_in_one_call_or_none(database: Database, vault: Vault) -> None:
    people = [PersonId.new() for _ in range(3)]
    drafts = [
        vault.draft(person, values={"ssn": f"{n}", "given_name": f"N{n}"}, seal={}).values
        for n, person in enumerate(people)
    ]
    columns = (people, [d[1] for d in drafts], drafts[0][2], drafts[0][3], [".".join(d[4]) for d in drafts])
    async with database.transaction() as tx:
        assert await tx.fetchval("SELECT vault.admit_all($1, $2, $3, $4, $5)", *columns) == 3
        assert await tx.fetchval("SELECT vault.admit_all(NULL, NULL, 1::smallint, NULL, NULL)") == 0
    async with database.transaction() as tx:
        for n, person in enumerate(people):
            read = await vault.read(tx, person, ["ssn", "given_name"], purpose="p", request_id="r")
            assert read == {"ssn": f"{n}", "given_name": f"N{n}"}
    new = PersonId.new()
    again = ([new, people[0]], [bytes(61)] * 2, 1, ["ssn"], ["a", "b"])
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as tx:
            await tx.execute("SELECT vault.admit_all($1, $2, $3, $4, $5)", *again)
    with pytest.raises(PersonUnknown):
        async with database.transaction() as tx:
            await vault.read(tx, new, ["ssn"], purpose="p", request_id="r")


async def test_a_sealed_value_opens_for_its_person_and_label_alone(database: Database, vault: Vault) -> None:
    person, other = PersonId.new(), PersonId.new()
    async with database.transaction() as tx:
        await vault.admit(tx, person)
        await vault.admit(tx, other)
        sealed = await vault.seal(tx, person, b"declared", purpose_label="declaration")
        with pytest.raises(Undecipherable):
            await vault.open(tx, other, sealed, label="declaration", purpose="p", request_id="r")
        with pytest.raises(Undecipherable):
            await vault.open(tx, person, sealed, label="contact", purpose="p", request_id="r")


async def test_a_shredded_person_is_forgotten_for_good(
    database: Database, owner: asyncpg.Connection, vault: Vault
) -> None:
    person = PersonId.new()
    async with database.transaction() as tx:
        sealed = (await vault.admit(tx, person, values={"ssn": SSN}, seal={"contact": b"x"}))["contact"]
        await vault.shred(tx, person)
        await vault.shred(tx, person)
    for attempt in (
        lambda tx: vault.open(tx, person, sealed, label="contact", purpose="p", request_id="r"),
        lambda tx: vault.seal(tx, person, b"x", purpose_label="contact"),
        lambda tx: vault.read(tx, person, ["ssn"], purpose="p", request_id="r"),
        lambda tx: vault.put(tx, person, {"ssn": SSN}),
        lambda tx: vault.admit(tx, person, values={"ssn": SSN}),
    ):
        with pytest.raises(PersonForgotten):
            async with database.transaction() as tx:
                await attempt(tx)
    assert await owner.fetchval("SELECT count(*) FROM vault.personal_value") == 0
    assert await owner.fetchval("SELECT wrapped_key FROM vault.data_subject_key") is None


async def test_an_unknown_person_and_a_huge_value_are_refused(database: Database, vault: Vault) -> None:
    async with database.transaction() as tx:
        with pytest.raises(PersonUnknown):
            await vault.read(tx, PersonId.new(), ["ssn"], purpose="p", request_id="r")
        person = PersonId.new()
        await vault.admit(tx, person)
        with pytest.raises(ValueTooLarge):
            await vault.seal(tx, person, bytes(VALUE_BYTES_MAX + 1), purpose_label="x")


async def test_another_key_encryption_key_opens_nothing_and_an_earlier_one_still_does(
    database: Database, vault: Vault
) -> None:
    person, new_kek = PersonId.new(), new_key()
    async with database.transaction() as tx:
        sealed = (await vault.admit(tx, person, seal={"contact": b"x"}))["contact"]
        with pytest.raises(Undecipherable):
            await Vault(kek=new_kek, reader="t").open(tx, person, sealed, label="contact", purpose="p", request_id="r")
        rotated = Vault(kek=new_kek, kek_version=2, earlier_keks={1: KEK}, reader="t")
        assert await rotated.open(tx, person, sealed, label="contact", purpose="p", request_id="r") == b"x"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM vault.data_subject_key",
        "SELECT * FROM vault.personal_value",
        "SELECT * FROM vault.key_read",
        "DELETE FROM vault.key_read",
        "INSERT INTO vault.key_read (subject_id, purpose, request_id, names) VALUES ('a', 'b', 'c', '{}')",
        "UPDATE vault.data_subject_key SET wrapped_key = NULL",
    ],
)
async def test_a_service_reaches_no_table_of_the_vault(database: Database, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction() as tx:
            await tx.execute(statement)


async def test_the_record_of_reads_is_append_only_even_for_its_owner(
    database: Database, owner: asyncpg.Connection, vault: Vault
) -> None:
    async with database.transaction() as tx:
        await vault.admit(tx, person := PersonId.new())
        await vault.seal(tx, person, b"x", purpose_label="contact")
    for statement in (
        "DELETE FROM vault.key_read",
        "UPDATE vault.key_read SET purpose = 'x'",
        "TRUNCATE vault.key_read",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await owner.execute(statement)


async def test_only_the_roles_that_need_it_may_take_a_key(
    database_for: Callable[..., Awaitable[Database]], fresh_database: Callable[..., Awaitable[FreshDatabase]]
) -> None:
    fresh = await fresh_database("applications", "eligibility", "payments", "notifications")
    take = "SELECT * FROM vault.take_key('per_x', 'p', 'r', '{}')"
    for schema in ("applications", "eligibility", "notifications", "payments"):
        service = await database_for(schema, on=fresh)
        async with service.connection() as connection:
            if schema != "payments":
                assert await connection.fetch(take) == []
            else:
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch(take)
            if schema != "applications":
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.fetch("SELECT vault.shred('per_x')")


async def test_a_function_of_the_caller_is_not_called_in_the_vault_s_name(service: FreshDatabase) -> None:
    """Each function pins its search path: an operator or function planted before pg_catalog is never found."""
    owner = await asyncpg.connect(service.owner_dsn)
    rows = await owner.fetch(
        "SELECT proname, prosecdef, proconfig FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE nspname IN ('vault', 'access')"
    )
    await owner.close()
    assert len(rows) >= 6
    for row in rows:
        assert row["proconfig"], row["proname"]
        assert row["proconfig"][0].startswith("search_path=pg_catalog"), row["proname"]
        assert row["proconfig"][0].endswith("pg_temp"), row["proname"]


def test_look_up_digests_need_the_key(vault: Vault) -> None:
    assert vault.mac("ssn", SSN) == Vault(kek=new_key(), mac_key=MAC, reader="x").mac("ssn", SSN)
    assert vault.mac("ssn", SSN) != vault.mac("email", SSN)
    with pytest.raises(ValueError, match=r"mac\.key"):
        Vault(kek=KEK, reader="x").mac("ssn", SSN)
