"""Applications that came together, in one statement: the plain ones are taken in, the others are left untouched."""

from collections.abc import Sequence
from dataclasses import dataclass

from kit.db import Connection
from kit.idempotency import Answer, Once, answered_first
from kit.outbox import Draft as DraftFact
from kit.outbox import append_first
from kit.vault import Draft as DraftPerson
from services.applications.domain import Application
from services.applications.store.catalog import listing_of

_CHOICES = ("g.program_id", "g.round_id", "g.provider_id", "g.credential_id", "g.course_run_id")

# The look-ups of key and person are scalar on purpose: a join could choose to read tables that only ever grow.
# All keys are claimed before the first person is, as a request that comes alone does it: in another order, the two
# could wait for each other.
_TAKE_IN = f"""
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::bytea[], $3::bytea[], $4::smallint[], $5::bytea[], $6::timestamptz[],
        $7::text[], $8::bytea[], $9::bytea[], $10::text[],
        $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[],
        $19::text[], $20::boolean[],
        $21::smallint[], $22::uuid[], $23::text[], $24::bytea[]
    ) WITH ORDINALITY AS v (
        principal, key_digest, fingerprint, status, body, at,
        person_id, ssn_mac, wrapped_key, sealed,
        application_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id, county,
        language, publish_name,
        shard, event_id, headers, payload, position
    )
), plain AS MATERIALIZED (
    SELECT g.*, g.application_id AS key, $25::text AS source, $26::text AS topic, $27::text AS type, g.at AS created_at
    FROM given AS g CROSS JOIN LATERAL ({listing_of(*_CHOICES)}) AS listed
    WHERE listed.program AND listed.round AND listed.provider AND listed.credential
        AND (g.course_run_id IS NULL OR listed.course_run_fits)
        AND (SELECT true FROM idempotency AS i WHERE i.principal = g.principal AND i.key_digest = g.key_digest) IS NULL
        AND (SELECT true FROM person AS p WHERE p.ssn_mac = g.ssn_mac) IS NULL
), {answered_first("plain")}, admitted AS (
    INSERT INTO person (person_id, ssn_mac, admitted_at)
    SELECT person_id, ssn_mac, at FROM plain WHERE (SELECT count(*) FROM answered) > 0 ORDER BY ssn_mac
), opened AS (
    INSERT INTO application (
        application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id,
        county, language, publish_name, submitted_at
    )
    SELECT
        application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, course_run_id,
        county, language, publish_name, at
    FROM plain ORDER BY position
), begun AS (
    INSERT INTO case_view (
        application_id, partner_id, program_id, round_id, provider_id, credential_id, submitted_at, stage
    )
    SELECT application_id, partner_id, program_id, round_id, provider_id, credential_id, at, 'eligibility'
    FROM plain ORDER BY position
), {append_first("plain")}, vaulted AS (
    SELECT vault.admit_all(array_agg(person_id), array_agg(wrapped_key), $28, $29, array_agg(sealed)) AS subjects
    FROM plain
)
SELECT application_id, (SELECT subjects FROM vaulted) AS subjects FROM plain
"""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An application with everything that is written for it where its key and its person are new."""

    once: Once
    application: Application
    person: DraftPerson
    ssn_mac: bytes
    fact: DraftFact
    answer: Answer


async def take_in(tx: Connection, newcomers: Sequence[Newcomer]) -> set[str]:
    """Take in those whose key and person nobody knows and whose choices are listed; returns their application ids.

    No two of them share a key or a person; all have values of the same names, under keys wrapped by the same one. What
    somebody else commits meanwhile may end it with a unique violation.
    """
    source, _, _, topic, _, kind, *_ = newcomers[0].fact.values
    _, _, kek_version, names, _ = newcomers[0].person.values
    shared = (source, topic, kind, kek_version, names)
    rows = await tx.fetch(_TAKE_IN, *zip(*map(_columns, newcomers), strict=True), *shared)
    return {row["application_id"] for row in rows}


def _columns(newcomer: Newcomer) -> tuple[object, ...]:
    a = newcomer.application
    person_id, wrapped_key, _, _, ciphertexts = newcomer.person.values
    _, _, shard, _, event_id, _, headers, payload, _ = newcomer.fact.values
    return (
        *newcomer.once.claim, newcomer.answer.status, newcomer.answer.body, a.submitted_at,
        person_id, newcomer.ssn_mac, wrapped_key, ".".join(ciphertexts),
        a.application_id, a.partner_id, a.program_id, a.round_id, a.provider_id, a.credential_id, a.course_run_id,
        a.county, a.language, a.publish_name,
        shard, event_id, headers, payload,
    )  # fmt: skip
