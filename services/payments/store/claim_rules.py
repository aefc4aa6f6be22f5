"""The program's rules on claims: approval levels, documents, advances, interest; listed prices, caps, standings."""

from collections.abc import Mapping

from contracts.events.eligibility import ListedClaimRules, ProgramPublished
from contracts.plan import CostKind
from kit.db import Connection

TAKE_RULES = """
INSERT INTO claim_rules (program_id, rules) VALUES ($1, $2)
ON CONFLICT (program_id) DO UPDATE SET rules = excluded.rules
"""
# What a newer version no longer lists stays: running cases are matched against it.
TAKE_PRICES = """
INSERT INTO listed_price (program_id, credential_id, cost_line, price_cents)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[])
ON CONFLICT (program_id, credential_id, cost_line) DO UPDATE SET price_cents = excluded.price_cents
"""
TAKE_CAPS = """
UPDATE program_round AS r SET per_credential_cap_cents = g.cents
FROM unnest($2::text[], $3::bigint[]) AS g(round_id, cents)
WHERE r.program_id = $1 AND r.round_id = g.round_id
"""
# A provider that is listed no more is paid ahead no more: its standing was the program's to give.
TAKE_STANDINGS = """
UPDATE provider AS p SET standing = (
    SELECT g.standing FROM unnest($2::text[], $3::text[]) AS g(provider_id, standing)
    WHERE g.provider_id = p.provider_id
)
WHERE p.program_id = $1
"""
RULES = "SELECT rules FROM claim_rules WHERE program_id = $1"
PRICES = "SELECT cost_line, price_cents FROM listed_price WHERE program_id = $1 AND credential_id = $2"
CAP = "SELECT per_credential_cap_cents FROM program_round WHERE program_id = $1 AND round_id = $2"
STANDING = "SELECT standing FROM provider WHERE program_id = $1 AND provider_id = $2"
PROGRAM_OF_PROVIDER = "SELECT program_id FROM provider WHERE provider_id = $1 ORDER BY program_id"


async def take(tx: Connection, fact: ProgramPublished) -> None:
    """Keep what the newest version says; rounds and providers are on record already."""
    if fact.claim_rules is not None:
        await tx.execute(TAKE_RULES, fact.program_id, fact.claim_rules.model_dump(mode="json"))
    lines = [(c.credential_id, line) for c in fact.credentials for line in c.cost_lines]
    await tx.execute(
        TAKE_PRICES,
        fact.program_id,
        [credential for credential, _ in lines],
        [line.kind.value for _, line in lines],
        [line.price_cents for _, line in lines],
    )
    caps = [(r.round_id, r.per_credential_cap_cents) for r in fact.rounds]
    await tx.execute(TAKE_CAPS, fact.program_id, [name for name, _ in caps], [cents for _, cents in caps])
    await tx.execute(
        TAKE_STANDINGS,
        fact.program_id,
        [p.provider_id for p in fact.providers],
        [p.standing for p in fact.providers],
    )


async def rules_of(tx: Connection, program_id: str) -> ListedClaimRules:
    """The program's rules; one that published none asks for no document and nobody about charges."""
    found = await tx.fetchval(RULES, program_id)
    return ListedClaimRules(charge_answer_days=0) if found is None else ListedClaimRules.model_validate(found)


async def listed_prices(tx: Connection, program_id: str, credential_id: str) -> Mapping[CostKind, int]:
    rows = await tx.fetch(PRICES, program_id, credential_id)
    return {CostKind(row["cost_line"]): row["price_cents"] for row in rows}


async def cap_of(tx: Connection, program_id: str, round_id: str) -> int | None:
    """The round's cap for one credential, in cents."""
    return await tx.fetchval(CAP, program_id, round_id)


async def standing_of(tx: Connection, program_id: str, provider_id: str) -> str | None:
    return await tx.fetchval(STANDING, program_id, provider_id)


async def programs_of(tx: Connection, provider_id: str) -> list[str]:
    """The programs that list the provider."""
    return [row["program_id"] for row in await tx.fetch(PROGRAM_OF_PROVIDER, provider_id)]
