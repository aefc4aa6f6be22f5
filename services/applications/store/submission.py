"""One application in two statements: claim the key and admit the person; open the application, tell it and answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.ids import PersonId
from kit.db import Connection, shifted
from kit.idempotency import CLAIM, KEEP, Answer, Once, twin_awaited
from kit.outbox import Draft as DraftFact
from kit.outbox import append_one
from kit.vault import Draft as DraftPerson
from services.applications.domain import Application, Listing
from services.applications.store.catalog import FIND_LISTING

# Only the first request of a key admits anybody; a twin waits for it at the claim, before it holds anything else.
ADMIT = f"""
WITH claimed AS ({CLAIM}
), admitted AS (
    INSERT INTO person (person_id, ssn_mac, admitted_at) SELECT $4::text, $5::bytea, $6::timestamptz FROM claimed
    ON CONFLICT (ssn_mac) DO NOTHING
    RETURNING person_id
), vaulted AS (
    SELECT vault.admit(person_id, $7, $8, $9, $10) AS done FROM admitted
), listed AS ({shifted(FIND_LISTING, 10)}
)
SELECT listed.*, EXISTS (SELECT FROM claimed) AS claimed, (SELECT bool_and(done) FROM vaulted) AS is_new FROM listed
"""

_FIND_PERSON = "SELECT person_id FROM person WHERE ssn_mac = $1"

# The case begins in the statement that opens the application, so that no fact can come before its case.
CONCLUDE = f"""
WITH opened AS (
    INSERT INTO application (
        application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id,
        county, language, publish_name, submitted_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (person_id, program_id, credential_id) WHERE closed_at IS NULL DO NOTHING
    RETURNING application_id
), begun AS (
    INSERT INTO case_view (
        application_id, partner_id, program_id, round_id, provider_id, credential_id, submitted_at, stage
    )
    SELECT application_id, $3, $4, $5, $6, $7, $12, 'eligibility' FROM opened
), {shifted(append_one("opened"), 12)}, kept AS ({shifted(KEEP, 21)}
)
SELECT EXISTS (SELECT FROM opened) AS opened, EXISTS (SELECT FROM kept) AS kept
"""


@dataclass(frozen=True, slots=True)
class Admission:
    """What came of the claim; the rest counts only where `claimed`."""

    claimed: bool
    listing: Listing
    person_id: PersonId
    is_new: bool


async def admit(
    tx: Connection, once: Once, like: Application, *, person: DraftPerson, ssn_mac: bytes, now: datetime
) -> Admission:
    """Claim the request's key, admit the person under the drafted id where nobody has that digest, find the listing."""
    listed = (like.program_id, like.round_id, like.provider_id, like.credential_id, like.course_run_id)
    new_id = person.values[0]
    with twin_awaited():
        row = await tx.fetchrow(ADMIT, *once.claim, new_id, ssn_mac, now, *person.values[1:], *listed)
    assert row is not None
    found: dict[str, Any] = dict(row)
    claimed, is_new = found.pop("claimed"), bool(found.pop("is_new"))
    # A statement of its own: it must see what a concurrent twin committed while the insert waited for it.
    person_id = new_id if is_new or not claimed else await tx.fetchval(_FIND_PERSON, ssn_mac)
    return Admission(claimed, Listing(**found), PersonId(person_id), is_new)


async def conclude(
    tx: Connection, once: Once, application: Application, fact: DraftFact, answer: Answer, *, now: datetime
) -> bool:
    """Open the application, begin its case, tell it, keep the answer; False where there is an open one already."""
    a = application
    row = await tx.fetchrow(
        CONCLUDE, a.application_id, a.person_id, a.partner_id, a.program_id, a.round_id, a.provider_id, a.credential_id,
        a.course_run_id, a.county, a.language, a.publish_name, a.submitted_at,
        *fact.values, once.principal, once.key_digest, answer.status, answer.body, now,
    )  # fmt: skip
    assert row is not None
    if not row["kept"]:
        raise ValueError("there is no unanswered request to keep this answer for")
    return row["opened"]
