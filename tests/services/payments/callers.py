"""People with API keys at the doors of payments, and a close of a fiscal year that counts who agreed."""

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from unittest.mock import MagicMock

import asyncpg
import httpx
from fastapi import FastAPI

from contracts.fiscal_year import UPDATE_APPROVE, AmendClose, ApproveClose, CloseStage, CloseView
from kit.access import Access, Kind, issue_key
from kit.clock import FixedClock
from kit.db import Database
from kit.http import create_app
from services.payments.api import PaymentsDoors, router
from services.payments.books.fiscal_year import ListChanged
from services.payments.domain import MakerIsChecker
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.payees.account_numbers import AccountNumbers
from tests.services.payments.bank import OURS
from tests.services.payments.case import NOW, PROVIDER, RAILS

KEYS = ExamCodes(os.urandom(32))
NUMBERS = AccountNumbers(os.urandom(32))
DIGEST = "a" * 64
SCOPES = {
    "finance": ("payments:write", "payments:read", "budgets:read", "budgets:write"),
    "staff": (
        "applications:read",
        "budgets:read",
    ),
    "provider": ("claims:read",),
    "partner": (
        "applications:read",
        "exam-vouchers:reveal",
    ),
    "issuer": (),
}


@dataclass
class Caller:
    http: httpx.AsyncClient
    key: str

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path, headers={"Authorization": f"Bearer {self.key}"})

    async def post(self, path: str, body: dict | None = None, *, key: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key or uuid.uuid4().hex}
        return await self.http.post(path, json={} if body is None else body, headers=headers)


@dataclass
class FakeCloses:
    """The close of any year, with one list: two different people agree to it. A request is one act, however often."""

    approved_by: list[str] = field(default_factory=list)
    amended: list[AmendClose] = field(default_factory=list)
    answers: dict[str, CloseView] = field(default_factory=dict)

    async def tell(self, program_id: str, fiscal_year: int, update: str, act: Any, *, request: str) -> CloseView:
        if request not in self.answers:
            if update == UPDATE_APPROVE:
                self._approve(act)
            else:
                self.amended.append(act)
                self.approved_by.clear()
            self.answers[request] = CloseView(
                program_id=program_id,
                fiscal_year=fiscal_year,
                stage=CloseStage.AWAITING_APPROVAL,
                ends_at=NOW,
                proposal=None,
                approved_by=list(self.approved_by),
                report=None,
                history=[],
            )
        return self.answers[request]

    def _approve(self, act: ApproveClose) -> None:
        if act.actor in self.approved_by:
            raise MakerIsChecker
        if act.digest != DIGEST:
            raise ListChanged
        self.approved_by.append(act.actor)


def app_on(db: Database, closes: FakeCloses) -> FastAPI:
    """Every door of payments."""
    doors = PaymentsDoors(Access(db), db, KEYS, RAILS, FixedClock(NOW), NUMBERS, 10, closes, OURS)
    return create_app("test", "1", [router(doors)])


def operations() -> list[tuple[str, str]]:
    """Every door of payments: method and path, as the OpenAPI document has them."""
    doors: Any = MagicMock()
    paths = create_app("test", "1", [router(doors)]).openapi()["paths"]
    return [(method.upper(), path) for path, doors in paths.items() for method in doors]


@asynccontextmanager
async def calling(app: FastAPI, owner_dsn: str) -> AsyncIterator[dict[str, Caller]]:
    """One caller of each kind, two of those that are told apart."""
    owner = await asyncpg.connect(owner_dsn)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://cairn.example") as http:

        async def caller(kind: str, name: str) -> Caller:
            now = datetime.now(UTC)
            key = await issue_key(
                cast("Any", owner),
                kind=cast("Kind", kind),
                principal_id=name,
                scopes=SCOPES[kind],
                now=now,
                expires_at=now + timedelta(days=1),
            )
            return Caller(http, key)

        yield {
            "anna": await caller("finance", "anna"),
            "ben": await caller("finance", "ben"),
            "staff": await caller("staff", "ada"),
            "provider": await caller("provider", PROVIDER),
            "other_provider": await caller("provider", "cleveland-state"),
            "partner": await caller("partner", "harbor-portal"),
            "other_partner": await caller("partner", "other-portal"),
            "issuer": await caller("issuer", "an-issuer"),
        }
    await owner.close()
