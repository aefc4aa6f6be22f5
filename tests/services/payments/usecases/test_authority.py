"""Budget documents: two people, posted with the approval, refused where the money is committed; packs agree."""

import pytest

from contracts.errors import NotFound
from services.payments.books.authority import DocumentDecided, DocumentKind, DocumentKnown, DocumentState, RowUnfit
from services.payments.books.ledger import award_row, line_row, round_row
from services.payments.domain import MakerIsChecker
from services.payments.usecases import authority
from services.payments.usecases.program import follow_program
from tests.services.payments.case import NOW, OTHER, PROGRAM, PROVIDER, ROUND, Case, published

LINE, NEXT = line_row(PROGRAM, 2026), line_row(PROGRAM, 2027)
ROW = round_row(PROGRAM, ROUND)
MINE, OTHERS = award_row(PROGRAM, ROUND, PROVIDER), award_row(PROGRAM, ROUND, OTHER)


async def propose(desk, kind, cents, *, from_row=None, to_row=None, reference="OBM-1", maker="finance/anna"):
    async with desk.db.transaction() as tx:
        return await authority.propose(
            tx,
            program_id=PROGRAM,
            kind=kind,
            reference=reference,
            amount_cents=cents,
            from_row=from_row,
            to_row=to_row,
            reason="board decision",
            maker=maker,
            now=NOW,
        )


async def approve(desk, document, checker="finance/ben"):
    async with desk.db.transaction() as tx:
        return await authority.approve(tx, document.document_id, checker=checker, now=NOW)


async def moved(desk, kind, cents, **rows):
    return await approve(desk, await propose(desk, kind, cents, **rows))


async def appropriated(desk) -> dict[str, int]:
    return {row.id: row.appropriated_cents for row in (await desk.money()).rows}


async def publish(desk, **given):
    async with desk.db.transaction() as tx:
        await follow_program(published(**given), tx, now=NOW)


async def test_nothing_moves_before_a_second_person_agrees(desk):
    document = await propose(desk, DocumentKind.APPROPRIATION, 500_000, to_row=LINE)
    assert (await appropriated(desk))[LINE] == 1_000_000
    with pytest.raises(MakerIsChecker):
        await approve(desk, document, "finance/anna")
    approved = await approve(desk, document)
    assert (approved.state, approved.checked_by) == (DocumentState.APPROVED, "finance/ben")
    assert (await appropriated(desk))[LINE] == 1_500_000
    with pytest.raises(DocumentDecided):
        await approve(desk, document, "finance/cleo")
    assert (await desk.prove()).is_right


async def test_each_kind_moves_what_it_says(desk):
    await moved(desk, DocumentKind.APPROPRIATION, 300_000, to_row=NEXT)
    await moved(desk, DocumentKind.TRANSFER, 100_000, from_row=LINE, to_row=NEXT)
    await moved(desk, DocumentKind.TRANSFER, 200_000, from_row=MINE, to_row=OTHERS)
    await moved(desk, DocumentKind.WITHDRAWAL, 50_000, from_row=ROW)
    await moved(desk, DocumentKind.ALLOTMENT, 10_000, to_row=MINE)
    assert await appropriated(desk) == {
        LINE: 900_000,
        NEXT: 400_000,
        ROW: 950_000,
        MINE: 410_000,
        OTHERS: 800_000,
    }
    assert (await desk.prove()).is_right


async def test_what_is_committed_is_not_moved_and_no_half_of_a_transfer_is_posted(desk):
    await desk.hold(Case("ann"), 500_000)
    refused = await moved(desk, DocumentKind.TRANSFER, 200_000, from_row=MINE, to_row=OTHERS)
    assert (refused.state, refused.refusal) == (DocumentState.REFUSED, "over_award")
    assert (await appropriated(desk))[OTHERS] == 600_000
    # The paper that was refused may come again under its own reference.
    assert (await moved(desk, DocumentKind.TRANSFER, 100_000, from_row=MINE, to_row=OTHERS)).refusal is None
    assert (await desk.prove()).is_right


async def test_rounds_together_never_have_more_than_their_line(desk):
    refused = await moved(desk, DocumentKind.ALLOTMENT, 1, to_row=ROW)
    assert (refused.state, refused.refusal) == (DocumentState.REFUSED, "over_line")
    await moved(desk, DocumentKind.APPROPRIATION, 1, to_row=LINE)
    assert (await moved(desk, DocumentKind.ALLOTMENT, 1, to_row=ROW, reference="OBM-2")).refusal is None


async def test_a_later_publication_does_not_undo_a_transfer(desk):
    await moved(desk, DocumentKind.TRANSFER, 100_000, from_row=MINE, to_row=OTHERS)
    await publish(desk, version=2)
    assert (await appropriated(desk))[MINE] == 500_000
    await publish(desk, version=3, cents=1_200_000, awards={PROVIDER: 650_000, OTHER: 600_000})
    after = await appropriated(desk)
    assert (after[LINE], after[MINE], after[OTHERS]) == (1_200_000, 550_000, 700_000)
    await publish(desk, version=4, cents=1_100_000, awards={PROVIDER: 650_000, OTHER: 500_000})
    after = await appropriated(desk)
    assert (after[LINE], after[ROW], after[OTHERS]) == (1_100_000, 1_100_000, 600_000)
    assert (await desk.prove()).is_right


async def test_money_that_a_document_brings_serves_who_waits(desk):
    await desk.hold(Case("ann"), 600_000)
    waits = await desk.hold(Case("bob"), 100_000)
    assert waits.reason == "over_award"
    await moved(desk, DocumentKind.TRANSFER, 100_000, from_row=OTHERS, to_row=MINE)
    assert (await desk.stages())["held"] == 700_000


async def test_a_paper_moves_money_once(desk):
    await propose(desk, DocumentKind.APPROPRIATION, 500_000, to_row=LINE)
    with pytest.raises(DocumentKnown):
        await propose(desk, DocumentKind.APPROPRIATION, 500_000, to_row=LINE)


async def test_a_refusal_keeps_its_reason_and_takes_another_person(desk):
    document = await propose(desk, DocumentKind.APPROPRIATION, 500_000, to_row=LINE)
    async with desk.db.transaction() as tx:
        with pytest.raises(MakerIsChecker):
            await authority.refuse(tx, document.document_id, checker="finance/anna", reason="no", now=NOW)
    async with desk.db.transaction() as tx:
        refused = await authority.refuse(tx, document.document_id, checker="finance/ben", reason="twice", now=NOW)
    assert (refused.state, refused.refusal) == (DocumentState.REFUSED, "twice")
    [listed] = await authority.documents_of_program(PROGRAM, state=None, before=None, count_max=5, db=desk.db)
    assert listed == refused


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (DocumentKind.APPROPRIATION, {"to_row": ROW}),
        (DocumentKind.APPROPRIATION, {}),
        (DocumentKind.APPROPRIATION, {"to_row": LINE, "from_row": NEXT}),
        (DocumentKind.ALLOTMENT, {"to_row": LINE}),
        (DocumentKind.WITHDRAWAL, {"to_row": LINE}),
        (DocumentKind.TRANSFER, {"from_row": LINE, "to_row": ROW}),
        (DocumentKind.TRANSFER, {"from_row": LINE, "to_row": LINE}),
        (DocumentKind.ALLOTMENT, {"to_row": round_row(PROGRAM, "round-99")}),
        (DocumentKind.ALLOTMENT, {"to_row": award_row(PROGRAM, ROUND, "nobody")}),
        (DocumentKind.APPROPRIATION, {"to_row": line_row("other-program", 2026)}),
        (DocumentKind.APPROPRIATION, {"to_row": f"line/{PROGRAM}/26"}),
        (DocumentKind.ALLOTMENT, {"to_row": f"person/{PROGRAM}/{ROUND}"}),
    ],
)
async def test_a_document_names_rows_that_its_kind_takes(desk, kind, rows):
    with pytest.raises(RowUnfit):
        await propose(desk, kind, 1, **rows)


async def test_an_unknown_document_or_program_is_said_so(desk):
    document = await propose(desk, DocumentKind.APPROPRIATION, 1, to_row=LINE)
    async with desk.db.transaction() as tx:
        with pytest.raises(NotFound):
            await authority.approve(tx, document.document_id[:-1] + "0", checker="finance/ben", now=NOW)
    with pytest.raises(NotFound):
        await authority.documents_of_program("nobody", state=None, before=None, count_max=5, db=desk.db)
