"""Our copy of the programs' listings, and the keys of registered issuers."""

from dataclasses import dataclass
from datetime import datetime

from contracts.events.eligibility import ProgramPublished
from kit.db import Connection
from services.applications.attestation import IssuerKey

# A pack published before the one we have changes nothing.
_PUT_PROGRAM = """
INSERT INTO listed_program AS p (program_id, title, pack_version, published_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (program_id) DO UPDATE
SET title = excluded.title, pack_version = excluded.pack_version, published_at = excluded.published_at
WHERE p.published_at <= excluded.published_at
RETURNING program_id
"""

_PUT_ROUNDS = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS g(round_id text, title text)
), dropped AS (
    UPDATE listed_round SET listed = false WHERE program_id = $1 AND round_id NOT IN (SELECT round_id FROM given)
)
INSERT INTO listed_round (program_id, round_id, title, listed) SELECT $1, round_id, title, true FROM given
ON CONFLICT (program_id, round_id) DO UPDATE SET title = excluded.title, listed = true
"""

_PUT_PROVIDERS = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS g(provider_id text, name text)
), dropped AS (
    UPDATE listed_provider SET listed = false
    WHERE program_id = $1 AND provider_id NOT IN (SELECT provider_id FROM given)
)
INSERT INTO listed_provider (program_id, provider_id, name, listed) SELECT $1, provider_id, name, true FROM given
ON CONFLICT (program_id, provider_id) DO UPDATE SET name = excluded.name, listed = true
"""

_PUT_CREDENTIALS = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb)
        AS g(
            credential_id text, title text, issuers text[], milestones text[], required_milestones text[], exam_id text
        )
), dropped AS (
    UPDATE listed_credential SET listed = false
    WHERE program_id = $1 AND credential_id NOT IN (SELECT credential_id FROM given)
)
INSERT INTO listed_credential (
    program_id, credential_id, title, issuers, milestones, required_milestones, exam_id, listed
)
SELECT $1, credential_id, title, issuers, milestones, required_milestones, exam_id, true FROM given
ON CONFLICT (program_id, credential_id) DO UPDATE
SET title = excluded.title, issuers = excluded.issuers, milestones = excluded.milestones,
    required_milestones = excluded.required_milestones, exam_id = excluded.exam_id, listed = true
"""

_PUT_COURSE_RUNS = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb)
        AS g(course_run_id text, provider_id text, credential_id text, starts_on date, ends_on date)
), dropped AS (
    UPDATE listed_course_run SET listed = false
    WHERE program_id = $1 AND course_run_id NOT IN (SELECT course_run_id FROM given)
)
INSERT INTO listed_course_run (program_id, course_run_id, provider_id, credential_id, starts_on, ends_on, listed)
SELECT $1, course_run_id, provider_id, credential_id, starts_on, ends_on, true FROM given
ON CONFLICT (program_id, course_run_id) DO UPDATE
SET provider_id = excluded.provider_id, credential_id = excluded.credential_id,
    starts_on = excluded.starts_on, ends_on = excluded.ends_on, listed = true
"""


def listing_of(program: str, round_: str, provider: str, credential: str, course_run: str) -> str:
    """A query of one row: what the program lists of these choices, each given as an SQL expression."""
    return f"""
SELECT
    EXISTS (SELECT FROM listed_program WHERE program_id = {program}) AS program,
    EXISTS (SELECT FROM listed_round WHERE program_id = {program} AND round_id = {round_} AND listed) AS round,
    EXISTS (
        SELECT FROM listed_provider WHERE program_id = {program} AND provider_id = {provider} AND listed
    ) AS provider,
    EXISTS (
        SELECT FROM listed_credential WHERE program_id = {program} AND credential_id = {credential} AND listed
    ) AS credential,
    (
        SELECT provider_id = {provider} AND credential_id = {credential} FROM listed_course_run
        WHERE program_id = {program} AND course_run_id = {course_run} AND listed
    ) AS course_run_fits
"""


FIND_LISTING = listing_of("$1", "$2", "$3", "$4", "$5")

_FIND_CREDENTIAL = """
SELECT title, issuers, milestones, required_milestones, exam_id FROM listed_credential
WHERE program_id = $1 AND credential_id = $2
"""

_FIND_PROVIDER_NAME = "SELECT name FROM listed_provider WHERE program_id = $1 AND provider_id = $2"

_PUT_ISSUER_KEY = """
INSERT INTO issuer_key (issuer_id, key_id, public_jwk, not_before, not_after, registered_at)
VALUES ($1, $2, $3, $4, $5, $4)
ON CONFLICT (issuer_id, key_id) DO NOTHING
"""

_FIND_ISSUER_KEY = """
SELECT issuer_id, key_id, public_jwk, not_before, not_after FROM issuer_key WHERE issuer_id = $1 AND key_id = $2
"""

# A key that has ended already does not count again until the later moment.
_END_ISSUER_KEY = """
UPDATE issuer_key SET not_after = least(not_after, $3) WHERE issuer_id = $1 AND key_id = $2 RETURNING key_id
"""


@dataclass(frozen=True, slots=True)
class ListedCredential:
    """What we need to know of a credential after the application was made."""

    title: str
    issuers: frozenset[str]
    milestones: frozenset[str]
    required_milestones: tuple[str, ...]
    """Those without which completion is not attested, in the program's order."""
    exam_id: str | None


async def put_program(tx: Connection, fact: ProgramPublished) -> None:
    """Copy a published pack's listings; an older pack than the one we have changes nothing."""
    newest = await tx.fetchval(_PUT_PROGRAM, fact.program_id, fact.title, fact.pack_version, fact.published_at)
    if newest is None:
        return
    rounds = [{"round_id": r.round_id, "title": r.title} for r in fact.rounds]
    providers = [{"provider_id": p.provider_id, "name": p.name} for p in fact.providers]
    credentials = [
        {
            "credential_id": c.credential_id,
            "title": c.title,
            "issuers": c.issuers,
            "milestones": [m.code for m in c.milestones],
            "required_milestones": [m.code for m in c.milestones if m.required],
            "exam_id": c.exam.exam_id if c.exam else None,
        }
        for c in fact.credentials
    ]
    course_runs = [run.model_dump(exclude={"modality"}) for run in fact.course_runs]
    await tx.execute(_PUT_ROUNDS, fact.program_id, rounds)
    await tx.execute(_PUT_PROVIDERS, fact.program_id, providers)
    await tx.execute(_PUT_CREDENTIALS, fact.program_id, credentials)
    await tx.execute(_PUT_COURSE_RUNS, fact.program_id, course_runs)


async def find_credential(tx: Connection, *, program_id: str, credential_id: str) -> ListedCredential | None:
    row = await tx.fetchrow(_FIND_CREDENTIAL, program_id, credential_id)
    if row is None:
        return None
    return ListedCredential(
        title=row["title"],
        issuers=frozenset(row["issuers"]),
        milestones=frozenset(row["milestones"]),
        required_milestones=tuple(row["required_milestones"]),
        exam_id=row["exam_id"],
    )


async def find_provider_name(tx: Connection, *, program_id: str, provider_id: str) -> str | None:
    return await tx.fetchval(_FIND_PROVIDER_NAME, program_id, provider_id)


async def put_issuer_key(tx: Connection, key: IssuerKey) -> bool:
    """Register the key; False where the issuer already has one of that id."""
    status = await tx.execute(_PUT_ISSUER_KEY, key.issuer_id, key.key_id, key.public_jwk, key.not_before, key.not_after)
    return status == "INSERT 0 1"


async def find_issuer_key(tx: Connection, *, issuer_id: str, key_id: str) -> IssuerKey | None:
    row = await tx.fetchrow(_FIND_ISSUER_KEY, issuer_id, key_id)
    return IssuerKey(**dict(row)) if row else None


async def end_issuer_key(tx: Connection, *, issuer_id: str, key_id: str, not_after: datetime) -> bool:
    """Let the key count no longer from `not_after` on; False where there is no such key."""
    return await tx.fetchval(_END_ISSUER_KEY, issuer_id, key_id, not_after) is not None
