"""Payments on their way to the bank, and what a test does with the bank's statements about them."""

from dataclasses import dataclass, field
from datetime import timedelta

from contracts.ids import DisbursementId
from kit.db import Database
from services.payments.remittance import Confirmation, write_confirmations
from services.payments.usecases.batches import approve_batch, build_batch
from services.payments.usecases.confirmations import take_confirmations
from services.payments.usecases.reconciliation import Turn, reconcile_open
from services.payments.usecases.reconciliation_page import Page, page_of
from services.payments.usecases.statements import Taken, take_statement
from tests.services.payments.bank import DAY, OURS, Bank
from tests.services.payments.case import NOW, RAILS, Case, Desk

CENTS = 100_000


@dataclass
class Books:
    """Payments on their way, and the bank's account."""

    desk: Desk
    bank: Bank = field(default_factory=Bank)
    now = NOW + timedelta(days=1)

    @property
    def db(self) -> Database:
        return self.desk.db

    async def send(self, *names: str, cents: int = CENTS) -> list[DisbursementId]:
        """Paid cases up to the file that went out."""
        for name in names:
            case = await self.desk.approved(Case(name), cents)
            await self.desk.pay(case)
        async with self.db.transaction() as tx:
            batch = await build_batch(tx, maker="finance/anna", rails=RAILS, now=NOW)
        async with self.db.transaction() as tx:
            await approve_batch(tx, batch.batch_id, checker="finance/ben", rails=RAILS, now=NOW)
        async with self.db.connection() as connection:
            rows = await connection.fetch(
                "SELECT d.disbursement_id, a.application_id FROM disbursement AS d JOIN claim AS a USING (claim_id)"
            )
        by_case = {row["application_id"]: DisbursementId(row["disbursement_id"]) for row in rows}
        return [by_case[Case(name).id] for name in names]

    async def take(self, content: bytes | None = None, name: str = "statement.bai2") -> Taken:
        given = self.bank.statement() if content is None else content
        return await take_statement(name, given, taker="bank", ours=OURS, db=self.db, now=self.now)

    async def turn(self) -> Turn:
        return await reconcile_open(db=self.db, now=self.now)

    async def confirm(self, payment: DisbursementId, code: str | None = None) -> None:
        word = Confirmation(payment, "V1", f"P{payment[-8:]}", DAY, "RETURNED" if code else "PAID", code)
        await take_confirmations("a.pcf", write_confirmations([word], self.now), db=self.db, now=self.now)

    async def states(self) -> dict[str, int]:
        return await self.rows("SELECT state, count(*) FROM disbursement GROUP BY 1")

    async def lines(self) -> dict[str, int]:
        """How many lines ended how: `state reason` → count."""
        return await self.rows("SELECT state || ' ' || reason, count(*) FROM statement_line GROUP BY 1")

    async def rows(self, sql: str) -> dict[str, int]:
        async with self.db.connection() as connection:
            return {row[0]: row[1] for row in await connection.fetch(sql)}

    async def page(self) -> Page:
        return await page_of(db=self.db, now=self.now)

    async def line(self, reason: str) -> str:
        """The id of the one line that is open for this reason."""
        (found,) = [one.line.line_id for one, _ in (await self.page()).lines if one.reason == reason]
        return found
