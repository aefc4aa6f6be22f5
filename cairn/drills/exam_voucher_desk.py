"""The desk of the drill `exam-vouchers`: payments as the journey, the college, the partner and the vendor meet it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.drills.drill import Trial
from contracts.errors import CairnError
from contracts.events.applications import ApplicationSubmitted, ExamRegistered, ExamResult, ExamResulted
from contracts.ids import ApplicationId, ExamVoucherId, PersonId
from contracts.steps.payments import ExamVoucherResult, IssueExamVoucher, ReleaseFunds
from kit.db import Database
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.formats import Columns, VendorFormat, Word
from services.payments.store.program import take_application
from services.payments.store.vouchers import Lot
from services.payments.usecases.coalescer import Coalescer
from services.payments.usecases.funding import release_funds
from services.payments.usecases.redemptions import reconcile_report
from services.payments.usecases.vouchers import (
    follow_registration,
    follow_result,
    import_lot,
    issue_exam_voucher,
    reveal_code,
)

EXAM, VENDOR, PARTNER = "drill-exam", "drill-vendor", "drill-portal"
RETAKE_WAIT = timedelta(days=14)
FORM = VendorFormat(
    vendor=VENDOR,
    zone="America/New_York",
    moments=["%Y-%m-%dT%H:%M:%S%z"],
    columns=Columns(code="code", status="status", event_at="at"),
    words={word.value: word for word in Word},
)


@dataclass
class Desk:
    """Payments as the journey, the college, the partner and the vendor meet it."""

    trial: Trial
    db: Database
    keys: ExamCodes
    lots: int = 0
    sold: dict[str, str] = field(default_factory=dict[str, str])
    """Every exam voucher's code."""

    async def stock(self, count: int, **given: Any) -> list[str]:
        """Take a new lot into stock; its codes."""
        lot = f"DRILL-{self.trial.seed:08X}-{self.lots + 1:03d}"
        return await self.take([f"{lot}-{number:06d}" for number in range(count)], **given)

    async def take(self, codes: list[str], **given: Any) -> list[str]:
        """The same with these codes."""
        self.lots += 1
        now = datetime.now(UTC)
        lot = Lot(
            lot_id=f"{VENDOR}/{self.lots}",
            exam_id=EXAM,
            vendor=VENDOR,
            order_number=str(self.lots),
            region="US",
            unit_cost_cents=25_000,
            not_before=now - timedelta(days=1),
            expires_at=now + timedelta(days=300),
            expiry_zone="UTC",
            retires_at=None,
            imported_by="drill",
        )
        lot = replace(lot, **given)
        await import_lot(lot, codes, keys=self.keys, db=self.db, now=now)
        for number, code in enumerate(codes, 1):
            self.sold[ExamVoucherId.derive(lot.vendor, lot.order_number, number)] = code
        return codes

    async def issue(self, case: str, attempt: int = 1, *, now: datetime | None = None) -> ExamVoucherResult:
        """In a transaction of its own."""
        return await issue_exam_voucher(_ask(case, attempt), db=self.db, now=now or datetime.now(UTC))

    def through(
        self, process: Coalescer[IssueExamVoucher, ExamVoucherResult]
    ) -> Callable[[str], Awaitable[ExamVoucherResult]]:
        """Ask as the journey's step does, in a transaction shared with whoever asks at the same time."""
        return lambda case: process.ask(_ask(case, 1))

    async def given(self, case: str, attempt: int = 1, *, now: datetime | None = None) -> ExamVoucherId:
        """The exam voucher of a case that must get one, and whose partner payments knows."""
        async with self.db.transaction() as tx:
            await take_application(tx, _application(case))
        found = (await self.issue(case, attempt, now=now)).exam_voucher_id
        if found is None:
            raise LookupError(f"there was no exam voucher for {case}")
        return found

    async def tell(self, case: str, word: ExamResult | None, *, attempt: int = 1) -> None:
        """The college's word: registered, or a result."""
        now = datetime.now(UTC)
        about: dict[str, Any] = {
            "application_id": ApplicationId.derive(case),
            "exam_id": EXAM,
            "attempt_number": attempt,
        }
        async with self.db.transaction() as tx:
            if word is None:
                await follow_registration(ExamRegistered(**about, registration="R", registered_at=now), tx, now=now)
            else:
                await follow_result(ExamResulted(**about, result=word, resulted_at=now), tx, now=now)

    async def reveal(self, voucher: str, key: int) -> str | None:
        """The code, where it is shown."""
        try:
            shown = await reveal_code(
                voucher,
                partner_id=PARTNER,
                principal=f"partner/{PARTNER}",
                request_key=str(key).encode(),
                keys=self.keys,
                db=self.db,
                now=datetime.now(UTC),
            )
        except CairnError:
            return None
        return shown.code

    async def report(self, *lines: tuple[str, Word], form: VendorFormat = FORM, note: str = "") -> Counter[str]:
        """A vendor's report of these codes; how its lines ended."""
        at = (datetime.now(UTC) + timedelta(minutes=1)).replace(microsecond=0, second=0)
        rows = [f"{code},{word},{at:%Y-%m-%dT%H:%M:%S%z},{note}" for code, word in lines]
        content = "\n".join(["code,status,at,note", *rows]).encode()
        done = await reconcile_report(
            content, form, file_name="drill.csv", read_by="drill", keys=self.keys, db=self.db, now=datetime.now(UTC)
        )
        return Counter(line.ending.value for line in done.lines)

    async def release(self, case: str) -> None:
        """The case ends and gives back what it has."""
        ask = ReleaseFunds(application_id=ApplicationId.derive(case), reason="withdrawn")
        await release_funds(ask, db=self.db, now=datetime.now(UTC))

    async def state(self, voucher: str) -> str:
        async with self.db.connection() as connection:
            return await connection.fetchval("SELECT state FROM exam_voucher WHERE exam_voucher_id = $1", voucher)


def _ask(case: str, attempt: int) -> IssueExamVoucher:
    return IssueExamVoucher(
        application_id=ApplicationId.derive(case),
        person_id=PersonId.derive(case),
        exam_id=EXAM,
        attempt_number=attempt,
        usable_seconds=0,
        attempts_max=3,
        retake_wait_seconds=int(RETAKE_WAIT.total_seconds()),
    )


def _application(case: str) -> ApplicationSubmitted:
    return ApplicationSubmitted.model_construct(
        application_id=ApplicationId.derive(case),
        person_id=PersonId.derive(case),
        partner_id=PARTNER,
        program_id="drill",
    )
