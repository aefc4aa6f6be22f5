"""The money of a case of several cost lines: each entry keeps its line, from the hold to the payment and back."""

import asyncio

import asyncpg
import pytest

from contracts.events.payments import FundsLapsed, HoldPlaced
from contracts.ids import TransferId
from contracts.plan import CostKind, CostLine
from contracts.steps.fiscal_year import Disposition
from contracts.steps.payments import ClaimStatus, HoldStatus
from kit.clock import FixedClock
from services.payments.books.cost_lines import NOT_WHOLE
from services.payments.store import fiscal_year as year_store
from services.payments.store.journal import Wanted
from services.payments.usecases import advances, books, funding, year_end
from services.payments.usecases.holding import holding
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, PROGRAM, UNIT, Case, Desk, published
from tests.services.payments.usecases import test_fiscal_year as year
from tests.services.payments.usecases.test_advances import RULES, settled
from tests.services.payments.usecases.test_charges import decides, says
from tests.services.payments.usecases.test_claims import batch_of, confirm
from tests.services.payments.usecases.test_holding import asks_of

PLAN = [
    CostLine(kind=CostKind.TUITION, price_cents=200_000),
    CostLine(kind=CostKind.EXAM_FEE, price_cents=40_000),
    CostLine(kind=CostKind.BOOKS, price_cents=60_000),
]
AWARD = {"tuition": 200_000, "exam_fee": 40_000, "books": 60_000}
LINE = f"line/{PROGRAM}/2026"


async def publish(desk: Desk, version: int = 1, **given) -> None:
    """A program whose calendar is known, and whose credential costs what the plan says; one provider is platinum."""
    fact = published(version=version, **given)
    credentials = [one.model_copy(update={"cost_lines": PLAN}) for one in fact.credentials]
    providers = [one.model_copy(update={"standing": "platinum"}) for one in fact.providers]
    changed = {
        "credentials": credentials,
        "providers": providers,
        "claim_rules": RULES,
        "fiscal_year_start": "07-01",
        "time_zone": "America/New_York",
    }
    async with desk.db.transaction() as tx:
        await follow_program(fact.model_copy(update=changed), tx, now=NOW)


@pytest.fixture
async def desk(db) -> Desk:
    desk = Desk(db, cost_lines=PLAN)
    await publish(desk)
    return desk


async def by_line(desk: Desk) -> dict[str, dict[str, int]]:
    """Cents by stage and line, without the empty ones; the lines add up to the rows, and the books are right."""
    found = await books.cost_lines_of_program(PROGRAM, db=desk.db)
    assert found.agrees
    assert (await desk.prove()).is_right
    stages: dict[str, dict[str, int]] = {}
    for line, by_stage in found.lines.items():
        for stage, cents in by_stage.items():
            if cents:
                stages.setdefault(stage, {})[line] = cents
    return stages


async def entries(desk: Desk, case: Case, **given) -> list[tuple[str, str, str, int]]:
    wanted = Wanted(workflow_id=f"application/{case.id}", **given)
    _, found = await books.journal_page(PROGRAM, 2026, wanted, after=0, limit=100, db=desk.db)
    return [(one.kind, one.cost_line, one.outcome, one.amount_cents) for one in found]


async def enrolled(desk: Desk, name: str, cents: int = 300_000, price: int = 300_000) -> Case:
    case = Case(name)
    await desk.hold(case, cents)
    await desk.encumber(case, price)
    await desk.learn(case, price_cents=price)
    return case


async def claim(desk: Desk, case: Case, **lines: int) -> None:
    said = [{"kind": kind, "amount_cents": cents} for kind, cents in lines.items()]
    reviewed = await desk.review(case, sum(lines.values()), lines=said)
    assert reviewed.status is ClaimStatus.APPROVED


async def paid(desk: Desk, case: Case, *, file: str = "paid.pcf") -> None:
    payment = await desk.pay(case)
    await batch_of(desk)
    await confirm(desk, settled(payment.disbursement_id, f"P-{case.name}"), name=file)


async def test_each_stage_has_the_lines_that_the_award_is_made_of(desk):
    ann = Case("ann")
    await desk.hold(ann)
    assert await by_line(desk) == {"held": AWARD}
    await desk.encumber(ann, 270_000)
    assert await by_line(desk) == {"encumbered": {"tuition": 180_000, "exam_fee": 36_000, "books": 54_000}}
    await desk.learn(ann, price_cents=270_000)
    await claim(desk, ann, tuition=170_000, books=50_000)
    assert await by_line(desk) == {"payable": {"tuition": 170_000, "books": 50_000}}
    payment = await desk.pay(ann)
    await batch_of(desk)
    assert await by_line(desk) == {"in_transit": {"tuition": 170_000, "books": 50_000}}
    await confirm(desk, settled(payment.disbursement_id, "P-1"))
    assert await by_line(desk) == {"disbursed": {"tuition": 170_000, "books": 50_000}}
    assert (await desk.stages())["available"] == 780_000


async def test_a_claim_that_names_no_line_is_for_all_of_them(desk):
    ann = await enrolled(desk, "ann")
    assert (await desk.review(ann, 150_000)).status is ClaimStatus.APPROVED
    assert await by_line(desk) == {"payable": {"tuition": 100_000, "exam_fee": 20_000, "books": 30_000}}


async def test_a_case_of_one_line_has_the_entries_that_it_had(desk, db):
    """The very ids, and one entry a move."""
    desk.cost_lines = PLAN[:1]
    ann = await enrolled(desk, "ann", 200_000, 150_000)
    assert await entries(desk, ann) == [
        ("hold", "tuition", "ok", 200_000),
        ("encumber", "tuition", "ok", 150_000),
        ("release_hold", "tuition", "ok", 50_000),
    ]
    desk.cost_lines = ()
    await desk.hold(Case("bea"), 70_000)
    assert await entries(desk, Case("bea")) == [("hold", "tuition", "ok", 70_000)]
    async with db.connection() as connection:
        kept = await connection.fetch("SELECT hold_transfer_id FROM funding ORDER BY amount_cents")
    assert [row["hold_transfer_id"] for row in kept] == [TransferId.derive("hold", c.id, 1) for c in (Case("bea"), ann)]


@pytest.mark.parametrize("way", ["one by one", "together"])
async def test_a_hold_is_whole_or_not_at_all(desk, way):
    """Tuition and exam fee would fit into what the award has left, and the books alone would too."""
    await desk.hold(Case("first"), 300_000)
    await desk.hold(Case("second"), 50_000, cost_lines=())
    asks = [asks_of(Case("ann"), 300_000, cost_lines=PLAN), asks_of(Case("bea"), 250_000)]
    if way == "together":
        coalescer = holding(desk.db, FixedClock(NOW))
        ann, bea = await asyncio.gather(*(coalescer.ask(ask) for ask in asks))
    else:
        ann, bea = [await funding.hold_funds(ask, db=desk.db, now=NOW) for ask in asks]
    assert (ann.status, ann.reason) == (HoldStatus.WAITING, "over_award")
    assert (bea.status, bea.reason) == (HoldStatus.WAITING, "over_award")
    assert await funding.hold_funds(asks[0], db=desk.db, now=NOW) == ann
    assert await entries(desk, Case("ann")) == [
        ("hold", "tuition", "ok", 200_000),
        ("hold", "exam_fee", "ok", 40_000),
        ("hold", "books", "over_award", 60_000),
        ("release_hold", "tuition", "ok", 200_000),
        ("release_hold", "exam_fee", "ok", 40_000),
    ]
    assert await by_line(desk) == {"held": {"tuition": 250_000, "exam_fee": 40_000, "books": 60_000}}
    # The waiting list serves it whole, when there is room for all of it.
    await desk.release(Case("second"))
    assert (await by_line(desk))["held"] == {line: 2 * cents for line, cents in AWARD.items()}
    assert [fact["application_id"] for fact in await desk.told(HoldPlaced)][-1] == Case("ann").id


async def test_the_limit_that_the_whole_is_over_is_named_not_the_lines(desk):
    """Tuition alone is over the award, which waiting could lift; the whole is over the person's cap."""
    await publish(desk, 2, person_cap=250_000)
    await desk.hold(Case("first"), 250_000)
    await desk.hold(Case("second"), 200_000, cost_lines=())
    answer = await desk.hold(Case("ann"), 300_000)
    assert (answer.status, answer.reason) == (HoldStatus.REFUSED, "over_person")
    assert sum((await by_line(desk))["held"].values()) == 450_000


async def test_a_refused_hold_teaches_the_forecast_nothing(desk):
    await desk.hold(Case("first"), 300_000)
    await desk.hold(Case("second"), 50_000)
    await desk.hold(Case("ann"), 300_000)
    async with desk.db.connection() as connection:
        reasons = await connection.fetchval("SELECT count(*) FROM transfer WHERE reason = $1", NOT_WHOLE)
        resolved = await books.store.resolved(connection, LINE)
    assert (reasons, resolved) == (2, [])


async def test_what_is_only_held_expires_whole(desk):
    await desk.hold(Case("ann"))
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE funding SET expires_at = now() - interval '1 minute'")
    assert await funding.expire_holds(db=desk.db, now=NOW) == 1
    assert await by_line(desk) == {}


async def test_an_advance_goes_by_what_is_encumbered_and_the_claim_settles_each_line(desk):
    ann = await enrolled(desk, "ann")
    assert await advances.grant_advances(business_unit=UNIT, db=desk.db, now=NOW) == 1
    assert (await by_line(desk))["payable"] == {"tuition": 100_000, "exam_fee": 20_000, "books": 30_000}
    await claim(desk, ann, tuition=200_000, exam_fee=40_000, books=10_000)
    # The advance paid more for books than was claimed: the other lines have so much less to come.
    assert await by_line(desk) == {"payable": {"tuition": 183_333, "exam_fee": 36_667, "books": 30_000}}


async def test_a_stopped_claim_goes_back_to_its_lines_and_on_from_them(desk):
    ann = await enrolled(desk, "ann")
    await claim(desk, ann, tuition=200_000, books=20_000)
    await desk.pay(ann)
    await says(desk, ann, True)
    assert await by_line(desk) == {"encumbered": {"tuition": 200_000, "books": 20_000}}
    await decides(desk, ann, "finance/anna", approve=True)
    assert await by_line(desk) == {"payable": {"tuition": 200_000, "books": 20_000}}


async def test_what_is_owed_back_is_netted_line_by_line_and_owed_again(desk):
    """The first payment is refused afterwards and netted by the second, which is refused too."""
    ann, bea, _ = [await enrolled(desk, name, 100_000, 100_000) for name in ("ann", "bea", "cleo")]
    for case in (ann, bea):
        await claim(desk, case, tuition=60_000, books=20_000)
    await paid(desk, ann, file="a.pcf")
    await says(desk, ann, True)
    await decides(desk, ann, "finance/anna", approve=False)
    await agree(desk, 80_000)
    await paid(desk, bea, file="b.pcf")
    # All of bea's claim but the least payment came out of what was owed for ann.
    assert await by_line(desk) == {
        "encumbered": {"tuition": 66_667, "exam_fee": 13_333, "books": 20_000},
        "disbursed": {"tuition": 60_075, "books": 20_025},
    }
    await says(desk, bea, True)
    await decides(desk, bea, "finance/anna", approve=False)
    # What was netted is one debt, though it is an entry for each line.
    async with desk.db.connection() as connection:
        parts = await connection.fetch("SELECT cents FROM refund_part ORDER BY cents")
    assert [row["cents"] for row in parts] == [100, 79_900, 80_000]


async def agree(desk: Desk, cents: int) -> None:
    async with desk.db.transaction() as tx:
        refund = await tx.fetchval("SELECT refund_id FROM provider_refund WHERE cents = $1", cents)
        await advances.agree_refund(tx, refund, checker="finance/ben", now=NOW)


@pytest.mark.parametrize("per_batch", [1, 200])
async def test_a_year_ends_with_all_lines_of_a_case_in_one_place(desk, monkeypatch, per_batch):
    monkeypatch.setattr(year_end, "POSTED_PER_BATCH", per_batch)
    ann, bea = await enrolled(desk, "ann", 150_000, 150_000), await enrolled(desk, "bea", 150_000, 150_000)
    await year.soft_close(desk)
    await year.propose(desk)
    async with desk.db.transaction() as tx:
        one = await tx.fetchval(
            "SELECT transfer_id FROM year_end_encumbrance WHERE application_id = $1 ORDER BY random() LIMIT 1", bea.id
        )
        amended = await year_store.amend(tx, LINE, one, Disposition.LAPSE, reason="never began", actor="anna")
    assert amended
    await year.approve(desk)
    await year.post(desk)
    report = await year.hard_close(desk)
    assert (report.carried_cents, report.lapsed_cents, report.resolved_cents) == (150_000, 150_000, 0)
    assert (report.carried, report.lapsed) == (3, 3)
    half = {"tuition": 100_000, "exam_fee": 20_000, "books": 30_000}
    stages = await by_line(desk)
    assert stages["encumbered"] == half
    assert stages["lapsed"]["books"] == half["books"]
    assert [(one["application_id"], one["lapsed_cents"]) for one in await desk.told(FundsLapsed)] == [(bea.id, 150_000)]
    await claim(desk, ann, tuition=100_000, books=10_000)
    assert (await by_line(desk))["payable"] == {"tuition": 100_000, "books": 10_000}
    assert (await desk.stages())["available"] == 40_000


async def test_the_lines_of_a_case_are_its_award_and_stay_so(desk, db):
    await desk.hold(Case("ann"))
    for change in ("""'{"tuition": 300000}'""", "'{}'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction() as tx:
                await tx.execute(f"UPDATE funding SET cost_lines = {change}")
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.transaction() as tx:
            await tx.execute(
                """INSERT INTO funding (application_id, hold_number, person_id, program_id, round_id, provider_id,
                       credential_id, book, person_capped, amount_cents, hold_seconds, state, changed_at, cost_lines)
                   SELECT application_id, 2, person_id, program_id, round_id, provider_id, credential_id, book,
                       person_capped, amount_cents, hold_seconds, 'cancelled', changed_at, '{"tuition": 1}'
                   FROM funding"""
            )
