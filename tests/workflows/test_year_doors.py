"""What people tell the close of a fiscal year through payments' doors, against a real close."""

from typing import Any, cast

import pytest
from temporalio.exceptions import ApplicationError

from contracts.errors import NotFound
from contracts.fiscal_year import UPDATE_AMEND, UPDATE_APPROVE, AmendClose, ApproveClose, CloseStage
from contracts.ids import TransferId
from contracts.steps.fiscal_year import (
    AMEND_YEAR_END,
    SOFT_CLOSE_YEAR,
    Disposition,
    SoftCloseStatus,
    YearSoftClosed,
)
from kit.settings import ProcessSettings
from kit.temporal import TemporalUnavailable
from services.payments import gateways
from services.payments.books.fiscal_year import CloseRefused, ListChanged, NothingToApprove, NotOpenEncumbrance
from services.payments.domain import MakerIsChecker
from services.payments.gateways import TemporalCloses
from tests.workflows.books_of_year import PROGRAM, REPORT, YEAR, FakeBooks, YearClose, year_workers

NO_SETTINGS = cast("ProcessSettings", None)


@pytest.fixture
def books() -> FakeBooks:
    return FakeBooks()


@pytest.fixture
async def close(env, books):
    async with year_workers(env, books):
        yield YearClose(env)


@pytest.fixture
def closes(env) -> TemporalCloses:
    return TemporalCloses(NO_SETTINGS, client=env.client)


async def approve(closes: TemporalCloses, actor: str, *, digest: str = "a" * 64, request: str = "") -> list[str]:
    act = ApproveClose(actor=actor, digest=digest, note="looked at it")
    return (await closes.tell(PROGRAM, YEAR, UPDATE_APPROVE, act, request=request or actor)).approved_by


async def test_two_people_agree_and_a_request_that_is_repeated_is_one_act(close, closes):
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    assert await approve(closes, "anna") == ["anna"]
    assert await approve(closes, "anna") == ["anna"]
    with pytest.raises(MakerIsChecker):
        await approve(closes, "anna", request="another of hers")
    with pytest.raises(ListChanged):
        await approve(closes, "ben", digest="b" * 64)
    assert await approve(closes, "ben") == ["anna", "ben"]
    assert await close.result() == REPORT
    with pytest.raises(NotFound):
        await approve(closes, "cid")


async def test_what_the_close_refuses_is_named(close, closes, books):
    await close.start()
    await close.reaches(CloseStage.AWAITING_APPROVAL)
    act = AmendClose(actor="anna", encumbrance=TransferId.new(), disposition=Disposition.LAPSE, reason="cancelled")
    for code, kind in (("not_open_encumbrance", NotOpenEncumbrance), ("year_unknown", CloseRefused)):
        books.script(AMEND_YEAR_END, ApplicationError("no", type=code, non_retryable=True))
        with pytest.raises(kind):
            await closes.tell(PROGRAM, YEAR, UPDATE_AMEND, act, request=code)
    assert (await closes.tell(PROGRAM, YEAR, UPDATE_AMEND, act, request="good")).approved_by == []


async def test_a_close_that_waits_for_its_year_takes_no_agreement(close, closes, books):
    books.script(SOFT_CLOSE_YEAR, YearSoftClosed(status=SoftCloseStatus.NOT_OVER, seconds_left=3_600))
    await close.start()
    await close.reaches(CloseStage.WAITING)
    with pytest.raises(NothingToApprove):
        await approve(closes, "anna")


async def test_without_temporal_the_door_says_so(monkeypatch):
    async def nobody(*_: Any, **__: Any) -> Any:
        raise TemporalUnavailable

    monkeypatch.setattr(gateways, "connect", nobody)
    with pytest.raises(TemporalUnavailable):
        await approve(TemporalCloses(NO_SETTINGS), "anna")
