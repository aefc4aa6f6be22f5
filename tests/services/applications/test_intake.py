"""Applications that come together: one transaction for the plain ones, the same answers as alone for the rest."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from contracts.events.applications import ApplicationSubmitted
from contracts.ids import PersonId
from kit.vault import Vault
from services.applications.store import intake as store
from services.applications.store.intake import Newcomer
from services.applications.usecases import intake as usecase
from services.applications.usecases.acting import as_intake
from tests.services.applications.cast import Cast, application

Send = Callable[[], Awaitable[httpx.Response]]
TAKE_IN = store.take_in


def body(number: int, **changes: Any) -> dict[str, Any]:
    return application(person_ssn=f"219-09-{1000 + number}", **changes)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110 - a queue that is looked at from outside offers no event
        await asyncio.sleep(0)


class Gate:
    """Holds both lanes with one application each until `open`; remembers what went into every batch after them."""

    def __init__(self, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[Newcomer]] = []
        self._cast = cast
        self._held, self._open = 0, asyncio.Event()
        self._monkeypatch = monkeypatch

    async def _take_in(self, tx: Any, newcomers: Any) -> set[str]:
        if self._held < usecase.LANES_MAX:
            self._held += 1
            await self._open.wait()
        else:
            self.batches.append(list(newcomers))
        return await self._next(tx, newcomers)

    async def send(self, requests: list[Send]) -> list[httpx.Response]:
        """All at once; opens when each either waits for a batch or is answered already."""
        self._next = store.take_in
        self._monkeypatch.setattr(store, "take_in", self._take_in)
        first: list[asyncio.Future[httpx.Response]] = []
        rest: list[asyncio.Future[httpx.Response]] = []
        try:
            async with asyncio.timeout(20):
                for number in range(usecase.LANES_MAX):
                    post = self._cast.partner.post("/v1/applications", body(8000 + number), once=f"holds-{number}")
                    first.append(asyncio.ensure_future(post))
                    await until(lambda number=number: self._held > number)
                rest = [asyncio.ensure_future(request()) for request in requests]
                await until(lambda: len(self._cast.intake._waiting) + sum(one.done() for one in rest) == len(requests))
        finally:
            self._open.set()
            await asyncio.gather(*first, *rest, return_exceptions=True)
        assert {one.result().status_code for one in first} == {201}
        return [one.result() for one in rest]


@pytest.fixture
def gate(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(cast, monkeypatch)


async def test_those_that_wait_share_one_transaction_whoever_sent_them(cast: Cast, gate: Gate) -> None:
    callers = (cast.partner, cast.other_partner)
    answers = await gate.send(
        [lambda n=n: callers[n % 2].post("/v1/applications", body(n), once=f"k{n}") for n in range(20)]
    )
    assert {answer.status_code for answer in answers} == {201}
    assert [len(batch) for batch in gate.batches] == [20]
    rows = await cast.owner.fetch("SELECT application_id, partner_id FROM applications.application")
    assert Counter(row["partner_id"] for row in rows) == {"harbor": 10 + usecase.LANES_MAX, "lookout": 10}
    mine = {answer.json()["application_id"] for answer in answers[1::2]}
    listed = (await cast.other_partner.get("/v1/applications")).json()["items"]
    assert {item["application_id"] for item in listed} == mine
    again = await cast.other_partner.post("/v1/applications", body(1), once="k1")
    assert again.content == answers[1].content


async def test_each_of_a_batch_has_its_own_fact_trace_and_sealed_values(cast: Cast, gate: Gate) -> None:
    answers = await gate.send(
        [
            lambda n=n: cast.partner.post(
                "/v1/applications", body(n, person_given_name=f"Name{n}"), **{"X-Request-Id": f"request-{n:04}"}
            )
            for n in range(6)
        ]
    )
    facts = {fact.application_id: fact for fact in await cast.outbox(ApplicationSubmitted)}
    vault = Vault(kek=bytes(range(32)), reader="test")
    rows = await cast.owner.fetch("SELECT key, sequence, headers FROM applications.outbox ORDER BY id")
    assert {row["sequence"] for row in rows} == {1}
    for n, answer in enumerate(answers):
        fact = facts[answer.json()["application_id"]]
        async with cast.service_db.transaction() as tx:
            named = await vault.read(tx, fact.person_id, ["given_name", "ssn"], purpose="test", request_id="test")
            contact = await vault.open(
                tx, fact.person_id, fact.sealed_contact, label="contact", purpose="test", request_id="test"
            )
        assert named == {"given_name": f"Name{n}", "ssn": f"21909{1000 + n}"}
        assert f'"Name{n}"'.encode() in contact
        assert answer.headers["X-Request-Id"] == f"request-{n:04}"
    arrived = [row["key"] for row in rows if row["key"] in {a.json()["application_id"] for a in answers}]
    assert arrived == [answer.json()["application_id"] for answer in answers]


async def test_twins_returning_people_and_refusals_among_newcomers_are_answered_as_alone(
    cast: Cast, gate: Gate
) -> None:
    known = await cast.submit(person_ssn="219-09-7001")
    kept = await cast.partner.post("/v1/applications", body(6000), once="kept")

    def post(number: int, once: str, **changes: Any) -> Send:
        return lambda: cast.partner.post("/v1/applications", body(number, **changes), once=once)

    answers = await gate.send(
        [
            post(1, "plain-1"),
            post(6000, "kept"),
            post(6001, "kept"),
            post(6001, "open-already"),
            post(6001, "other-credential", credential_id="cybersecurity"),
            post(2, "not-listed", credential_id="juggling"),
            post(3, "no-run", course_run_id="no-run"),
            post(4, "with-run", course_run_id="coding-fall"),
            post(5, "twin"),
            post(5, "twin"),
            post(6, "twin-by-person"),
            post(6, "twin-by-person-2"),
            post(7, "plain-7"),
        ]
    )
    told = [(answer.status_code, answer.json().get("code")) for answer in answers]
    assert told == [
        (201, None),
        (201, None),
        (422, "idempotency_key_reused"),
        (409, "application_already_open"),
        (201, None),
        (422, "not_listed"),
        (422, "not_listed"),
        (201, None),
        (201, None),
        (201, None),
        told[10],
        told[11],
        (201, None),
    ]
    assert sorted(told[10:12], key=str) == [(201, None), (409, "application_already_open")]
    assert answers[1].content == kept.content
    assert answers[8].content == answers[9].content
    assert known in answers[3].json()["detail"]
    assert [answers[n].json()["errors"][0]["pointer"] for n in (5, 6)] == ["/credential_id", "/course_run_id"]
    again = await cast.partner.post("/v1/applications", body(2, credential_id="juggling"), once="not-listed")
    assert again.content == answers[5].content
    accepted = {answer.json()["application_id"] for answer in answers if answer.status_code == 201}
    stored = await cast.owner.fetchval("SELECT count(*) FROM applications.application")
    assert stored == len(accepted | {known}) + usecase.LANES_MAX
    assert len(await cast.outbox(ApplicationSubmitted)) == stored


async def test_fifty_twins_among_newcomers_have_one_effect(cast: Cast, gate: Gate) -> None:
    twins: list[Send] = [lambda: cast.partner.post("/v1/applications", body(1), once="same") for _ in range(50)]
    others: list[Send] = [lambda n=n: cast.partner.post("/v1/applications", body(n)) for n in range(2, 12)]
    answers = await gate.send([*others, *twins])
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers[10:]}) == 1
    assert await cast.owner.fetchval("SELECT count(*) FROM applications.person") == 11 + usecase.LANES_MAX


async def test_one_that_spoils_the_batch_lets_the_others_pass_alone(
    cast: Cast, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled: list[Newcomer] = []

    async def spoil(tx: Any, newcomers: list[Newcomer]) -> set[str]:
        if len(newcomers) < 2:
            return await TAKE_IN(tx, newcomers)
        spoiled.extend(newcomers)
        foreign = replace(newcomers[0].application, partner_id="lookout")
        return await TAKE_IN(tx, [replace(newcomers[0], application=foreign), *newcomers[1:]])

    monkeypatch.setattr(store, "take_in", spoil)
    answers = await gate.send(
        [lambda n=n: cast.partner.post("/v1/applications", body(n), once=f"k{n}") for n in range(5)]
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len(spoiled) == 5
    rows = await cast.owner.fetch("SELECT partner_id FROM applications.application")
    assert Counter(row["partner_id"] for row in rows) == {"harbor": 5 + usecase.LANES_MAX}
    assert await cast.owner.fetchval("SELECT count(*) FROM vault.data_subject_key") == 5 + usecase.LANES_MAX


async def test_a_key_that_somebody_holds_uncommitted_delays_the_batch_by_a_bound_alone(cast: Cast, gate: Gate) -> None:
    async with cast.doors_db.transaction() as tx:
        await tx.execute(
            "INSERT INTO person (person_id, ssn_mac, admitted_at) VALUES ($1, $2, now())",
            PersonId.new(),
            Vault(kek=bytes(32), mac_key=bytes(range(1, 33)), reader="test").mac("ssn", "219091003"),
        )
        send: list[Send] = [lambda n=n: cast.partner.post("/v1/applications", body(n)) for n in (1, 2, 4, 5)]
        blocked = asyncio.create_task(gate.send([*send, lambda: cast.partner.post("/v1/applications", body(3))]))
        async with asyncio.timeout(20):
            count = "SELECT count(*) FROM applications.application"
            while await cast.owner.fetchval(count) < usecase.LANES_MAX + 4:  # noqa: ASYNC110 - rows have no event
                await asyncio.sleep(0.01)
    assert {answer.status_code for answer in await blocked} == {201}


async def test_an_answer_lost_after_the_commit_is_found_by_its_key(cast: Cast) -> None:
    answer = await cast.partner.post("/v1/applications", body(1), once="first")
    task = asyncio.create_task(cast.partner.post("/v1/applications", body(2), once="cut"))
    async with asyncio.timeout(10):
        await until(lambda: bool(cast.intake._on_the_way))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await until(lambda: not cast.intake._on_the_way)
    again = await cast.partner.post("/v1/applications", body(2), once="cut")
    assert (answer.status_code, again.status_code) == (201, 201)
    assert await cast.owner.fetchval("SELECT count(*) FROM applications.application") == 2


async def test_the_queue_is_bounded(cast: Cast, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usecase, "WAITING_MAX", 3)
    answers = await gate.send([lambda n=n: cast.partner.post("/v1/applications", body(n)) for n in range(5)])
    assert Counter(answer.status_code for answer in answers) == {201: 3, 503: 2}
    full = next(answer for answer in answers if answer.status_code == 503)
    assert (full.json()["code"], full.headers["Retry-After"]) == ("intake_full", "2")


async def test_closing_takes_in_what_waits_and_later_ones_go_alone(cast: Cast, gate: Gate) -> None:
    closing: list[asyncio.Task[None]] = []

    async def close_then_send() -> httpx.Response:
        closing.append(asyncio.create_task(cast.intake.close()))
        await asyncio.sleep(0)
        return await cast.partner.post("/v1/applications", body(77))

    send: list[Send] = [lambda n=n: cast.partner.post("/v1/applications", body(n)) for n in range(4)]
    answers = await gate.send([*send, close_then_send])
    await closing[0]
    assert {answer.status_code for answer in answers} == {201}
    assert sum(map(len, gate.batches)) <= 4


async def test_an_intake_inserts_what_it_named_and_sees_nothing(cast: Cast) -> None:
    application_id = await cast.submit()
    row = await cast.owner.fetchrow("SELECT * FROM applications.application WHERE application_id = $1", application_id)
    assert row is not None
    insert = """
        INSERT INTO application (
            application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, language,
            publish_name, submitted_at
        ) VALUES ($1, $2, $3, 'oh-imap', 'r6', 'lorain-ccc', 'other', 'en', false, now())
    """

    class Named:
        def __init__(self, application_id: str, partner_id: str) -> None:
            self.application_id, self.partner_id = application_id, partner_id

    local = as_intake([Named("app_1", "harbor"), Named("app_2", "lookout")])  # type: ignore[list-item]
    for named, partner in (("app_1", "lookout"), ("app_2", "harbor"), ("app_3", "harbor"), ("app_1", "harb")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with cast.doors_db.transaction(local=local) as tx:
                await tx.execute(insert, named, row["person_id"], partner)
    async with cast.doors_db.transaction(local=local) as tx:
        await tx.execute(insert, "app_1", row["person_id"], "harbor")
        assert await tx.fetchval("SELECT count(*) FROM application") == 0
        assert await tx.fetchval("SELECT count(*) FROM case_view") == 0
