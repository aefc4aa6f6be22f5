"""The HTTP half of the drill `idempotency`: the partner's door to applications, asked by fifty with one key."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from cairn.drills.books import AT, PROGRAM, PROVIDER, ROUND_ID, published
from cairn.drills.drill import Fault, Trial, changes_schema, patches
from contracts.events.eligibility import ListedCredential, ProgramPublished
from contracts.plan import CostKind, CostLine
from kit import crypto
from kit.access import Access, issue_key
from kit.clock import FixedClock
from kit.http import create_app
from kit.paging import PageCursors
from kit.vault import Vault
from services.applications.api import ApplicationsDoors, router
from services.applications.store import catalog
from services.applications.usecases.intake import Intake

TWINS = 50
ROUNDS = 10
ROLE = "cairn_applications"
URL = "https://drill.example"
CREDENTIALS = ("coding", "cybersecurity")


@dataclass(frozen=True)
class Partner:
    """A partner with its key, at the door."""

    http: httpx.AsyncClient
    key: str

    async def apply(self, ssn: str, credential_id: str, *, once: str) -> tuple[int, bytes]:
        """Status and body of one application."""
        sent = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": once}
        answer = await self.http.post("/v1/applications", json=_application(ssn, credential_id), headers=sent)
        return answer.status_code, answer.content


async def one_application_a_key(trial: Trial) -> None:
    """Fifty at once with one key, then another body under it; one application, one fact, one answer."""
    rounds = trial.count(ROUNDS, least=2)
    async with _at_the_door(trial) as partner:
        for number in range(rounds):
            ssn, once = f"219-09-{1000 + number}", f"drill-{number}"
            answers = await asyncio.gather(*(partner.apply(ssn, CREDENTIALS[0], once=once) for _ in range(TWINS)))
            statuses = sorted({status for status, _ in answers})
            seen = (statuses, len(set(answers)))
            trial.equal(f"statuses and answers of {TWINS} calls with one key, round {number}", ([201], 1), seen)
            other, _ = await partner.apply(ssn, CREDENTIALS[1], once=once)
            trial.equal(f"another body under its key, round {number}", 422, other)
    owner = await trial.ground.owner("applications")
    trial.equal("applications", rounds, await owner.fetchval("SELECT count(*) FROM application"))
    trial.equal("facts of them", rounds, await owner.fetchval("SELECT count(*) FROM outbox"))


@asynccontextmanager
async def _at_the_door(trial: Trial) -> AsyncGenerator[Partner, None]:
    db = await trial.ground.open(ROLE, connections_max=TWINS + 2)
    async with db.transaction(local={"cairn.actor": "service"}) as tx:
        await catalog.put_program(tx, _program())
    now = datetime.now(UTC)
    key = await issue_key(
        await trial.ground.owner("applications"),
        kind="partner",
        principal_id="drill-portal",
        scopes=("applications:write",),
        now=now,
        expires_at=now + timedelta(days=1),
    )
    intake = Intake(db)
    doors = ApplicationsDoors(
        db=db,
        intake=intake,
        vault=Vault(kek=crypto.new_key(), mac_key=crypto.new_key(), reader="applications"),
        access=Access(db, cache_seconds=60.0),
        cursors=PageCursors(crypto.new_key()),
        clock=FixedClock(AT + timedelta(days=1)),
        public_url=URL,
    )
    door = httpx.ASGITransport(create_app("drill", "1", [router(doors)]))
    try:
        async with httpx.AsyncClient(transport=door, base_url=URL, timeout=60.0) as http:
            yield Partner(http, key)
    finally:
        await intake.close()


def _program() -> ProgramPublished:
    tuition = [CostLine(kind=CostKind.TUITION, price_cents=250_000)]
    listed = [
        ListedCredential(credential_id=name, title=name, cost_lines=tuition, milestones=[], issuers=[PROVIDER])
        for name in CREDENTIALS
    ]
    return published(1_000_000).model_copy(update={"credentials": listed})


def _application(ssn: str, credential_id: str) -> dict[str, Any]:
    person = {
        "given_name": "Drill",
        "family_name": "Person",
        "email": "drill@drill.example",
        "birth_date": "1987-06-05",
        "ssn": ssn,
        "county": "lorain",
        "language": "en",
        "consent": True,
        "publish_name": False,
    }
    return {
        "person": person,
        "program_id": PROGRAM,
        "round_id": ROUND_ID,
        "provider_id": PROVIDER,
        "credential_id": credential_id,
        "declaration": {"state_of_residence": "OH"},
    }


FAULTS = (
    Fault(
        "keys-claimed-by-many",
        "Requests that come at once with one key are each the first.",
        "idempotency",
        changes_schema("ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey", schema="applications"),
        check=f"statuses and answers of {TWINS} calls with one key, round 0",
    ),
    Fault(
        "bodies-not-compared",
        "Another request under a known key is answered as if it were the first.",
        "idempotency",
        patches("kit.idempotency:_canonical", lambda body, value: b""),
        check="another body under its key, round 0",
    ),
)
