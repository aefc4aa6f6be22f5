"""A small program, the people who call, and everything wired on a fresh database: no engine but PostgreSQL."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from joserfc import jws
from joserfc.jwk import OKPKey

from contracts.envelope import Envelope, Fact, schema_uri, source_of
from contracts.events.applications import EnrollmentRequested
from contracts.events.eligibility import (
    ListedCourseRun,
    ListedCredential,
    ListedProvider,
    ListedRound,
    ProgramPublished,
)
from contracts.ids import ApplicationId, EnrollmentId, PersonId
from contracts.plan import CostKind, CostLine, ExamPolicy, Milestone
from contracts.steps.applications import RequestEnrollment
from kit.clock import FixedClock
from kit.db import Database
from kit.inbox import Received
from services.applications.subscribers import handlers
from services.applications.usecases import conducting
from services.applications.usecases.intake import Intake

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
CANARIES = ("Zephyrine", "Quillfeather", "zephyrine@quillfeather.example", "1987-06-05", "219099123", "219-09-9123")

PROGRAM = ProgramPublished(
    program_id="oh-imap",
    title="Individual Microcredential Assistance Program",
    pack_version="a" * 12,
    published_at=NOW - timedelta(days=30),
    providers=[
        ListedProvider(provider_id="lorain-ccc", name="Lorain County Community College", supplier_number="0000000001"),
        ListedProvider(provider_id="cleveland-state", name="Cleveland State University", supplier_number="0000000002"),
    ],
    credentials=[
        ListedCredential(
            credential_id="coding",
            title="Coding",
            cost_lines=[CostLine(kind=CostKind.TUITION, price_cents=280_000)],
            milestones=[Milestone(code="week_1"), Milestone(code="midpoint", required=False)],
            issuers=["lorain-ccc"],
        ),
        ListedCredential(
            credential_id="cybersecurity",
            title="Cybersecurity",
            cost_lines=[CostLine(kind=CostKind.TUITION, price_cents=250_000)],
            exam=ExamPolicy(
                exam_id="sec-exam", attempts_max=2, retake_wait=timedelta(days=1), usable_for=timedelta(days=30)
            ),
            milestones=[Milestone(code="week_1")],
            issuers=["lorain-ccc", "cyber-guild"],
        ),
    ],
    course_runs=[
        ListedCourseRun(
            course_run_id="coding-fall",
            provider_id="lorain-ccc",
            credential_id="coding",
            starts_on="2026-08-24",
            ends_on="2026-12-11",
            modality="online",
        )
    ],
    rounds=[ListedRound(round_id="r6", title="Round 6", fiscal_year=2026, per_credential_cap_cents=300_000)],
)


def application(**changes: Any) -> dict[str, Any]:
    """The body of an application, with `person_…` changes going to the person."""
    person = {
        "given_name": "Zephyrine",
        "family_name": "Quillfeather",
        "email": "zephyrine@quillfeather.example",
        "birth_date": "1987-06-05",
        "ssn": "219-09-9123",
        "county": "lorain",
        "language": "es",
        "consent": True,
        "publish_name": True,
    }
    body: dict[str, Any] = {
        "program_id": "oh-imap",
        "round_id": "r6",
        "provider_id": "lorain-ccc",
        "credential_id": "coding",
        "declaration": {"state_of_residence": "OH"},
    }
    for name, value in changes.items():
        (person if name.startswith("person_") else body)[name.removeprefix("person_")] = value
    return {"person": person, **body}


def received(fact: Fact, *, sequence: int, at: datetime = NOW) -> Received[Any]:
    envelope = Envelope(
        id=uuid4(),
        type=fact.TYPE,
        source=source_of(fact.TYPE),
        time=at,
        subject=fact.partition_key(),
        dataschema=schema_uri(fact.TYPE),
        sequence=sequence,
        correlation_id="test",
    )
    return Received(envelope, fact)


class Issuer:
    """Somebody who signs statements of completion."""

    def __init__(self, issuer_id: str, kid: str = "key-1") -> None:
        self.issuer_id, self.kid = issuer_id, kid
        self._key = OKPKey.generate_key("Ed25519")
        self.public_jwk = self._key.as_dict(private=False)

    def sign(self, enrollment_id: str, credential_id: str, *, completed_on: str = "2026-03-10", **other: Any) -> str:
        statement = {
            "iss": self.issuer_id,
            "enrollment_id": enrollment_id,
            "credential_id": credential_id,
            "completed_on": completed_on,
            **other,
        }
        header = {"alg": "Ed25519", "kid": self.kid}
        return jws.serialize_compact(header, json.dumps(statement), self._key, algorithms=["Ed25519"])


@dataclass(frozen=True)
class Caller:
    """A key and the doors it opens."""

    http: httpx.AsyncClient
    key: str

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers={"Authorization": f"Bearer {self.key}", **headers})

    async def post(self, path: str, body: Any, *, once: str | None = None, **headers: str) -> httpx.Response:
        sent = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": once or str(uuid4()), **headers}
        return await self.http.post(path, json=body, headers=sent)


@dataclass(frozen=True)
class Cast:
    """Everybody, and the database they work on."""

    partner: Caller
    other_partner: Caller
    college: Caller
    other_college: Caller
    guild: Caller
    """An issuer of `cybersecurity`; the college is one too."""
    bakery: Caller
    """An issuer of nothing that the program lists."""
    staff: Caller
    anyone: httpx.AsyncClient
    doors_db: Database
    service_db: Database
    owner: asyncpg.Connection
    clock: FixedClock
    intake: Intake

    async def follow(self, facts: Sequence[Received[Any]]) -> None:
        """As the consumer does: each fact in a transaction of the service's own pool."""
        act = handlers()
        for one in facts:
            async with self.service_db.transaction() as tx:
                await act[type(one.fact)](one, tx)

    async def outbox(self, fact_type: type[Fact] | None = None) -> list[Any]:
        """The facts that wait for the relay, in order."""
        rows = await self.owner.fetch("SELECT type, payload FROM applications.outbox ORDER BY id")
        return [
            Fact.registry[row["type"]].model_validate_json(row["payload"])
            for row in rows
            if fact_type is None or row["type"] == fact_type.TYPE
        ]

    async def follow_own(self) -> None:
        """Follow everything in the outbox, as Kafka would bring it back."""
        rows = await self.owner.fetch("SELECT type, payload, sequence, created_at FROM applications.outbox ORDER BY id")
        facts = [
            received(
                Fact.registry[row["type"]].model_validate_json(row["payload"]),
                sequence=row["sequence"],
                at=row["created_at"],
            )
            for row in rows
        ]
        await self.follow(facts)

    async def submit(self, **changes: Any) -> ApplicationId:
        answer = await self.partner.post("/v1/applications", application(**changes))
        assert answer.status_code == 201, answer.text
        return ApplicationId(answer.json()["application_id"])

    async def ask_college(self, application_id: ApplicationId, *, award_cents: int = 280_000) -> EnrollmentId:
        """The step that asks the college, as the journey would."""
        row = await self.owner.fetchrow(
            "SELECT * FROM applications.application WHERE application_id = $1", application_id
        )
        assert row is not None
        ask = RequestEnrollment(
            application_id=application_id,
            person_id=PersonId(row["person_id"]),
            provider_id=row["provider_id"],
            credential_id=row["credential_id"],
            award_cents=award_cents,
            respond_by=NOW + timedelta(days=14),
        )
        done = await conducting.request_enrollment(ask, db=self.service_db, now=self.clock.now())
        assert any(f.enrollment_id == done.enrollment_id for f in await self.outbox(EnrollmentRequested))
        return done.enrollment_id

    async def enroll(self, application_id: ApplicationId, *, milestones: Sequence[str] = ("week_1",)) -> EnrollmentId:
        """Asked, accepted, begun, and as far as these milestones: the required one, unless told otherwise."""
        enrollment_id = await self.ask_college(application_id)
        accepted = {"answer": "accepted", "price_cents": 250_000}
        assert (await self.college.post(f"/v1/enrollments/{enrollment_id}/answer", accepted)).status_code == 200
        assert (await self.college.post(f"/v1/enrollments/{enrollment_id}/start", {})).status_code == 200
        for milestone in milestones:
            reached = await self.college.post(f"/v1/enrollments/{enrollment_id}/milestones", {"milestone": milestone})
            assert reached.status_code == 200
        return enrollment_id
