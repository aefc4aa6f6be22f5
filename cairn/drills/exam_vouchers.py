"""The drill `exam-vouchers`: codes given once each under load and cut connections, shown once, taken back on the
vendor's word alone, good to the end of the vendor's own day, and in the clear nowhere."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from cairn.drills.books import books_are_proven
from cairn.drills.drill import Drill, Fault, Trial, changes_schema, patches, together
from cairn.drills.exam_voucher_desk import FORM, RETAKE_WAIT, Desk
from cairn.drills.ground import cutting
from contracts.errors import Unavailable
from contracts.events.applications import ExamResult
from contracts.ids import ExamVoucherId
from contracts.steps.payments import ExamVoucherStatus
from kit.clock import SystemClock
from services.payments.domain import CodeKnown
from services.payments.domain import ExamVoucherState as State
from services.payments.exam_vouchers import expiry
from services.payments.exam_vouchers.codes import ExamCodes
from services.payments.exam_vouchers.formats import Word
from services.payments.exam_vouchers.states import MOVES, Act
from services.payments.store import redemptions as redemption_store
from services.payments.store import vouchers as voucher_store
from services.payments.usecases.vouchers import issuing

CODES, REQUESTS, CLIENTS, DUPLICATES = 60_000, 70_000, 64, 2_000
LOT_CODES_MAX = 50_000
TRIES_MAX = 100
CUT_SECONDS = 0.05
WORKING = """
SELECT pid FROM pg_stat_activity
WHERE usename = 'cairn_payments' AND datname = current_database() AND state <> 'idle' ORDER BY random() LIMIT 1
"""
REVEALS = 24


async def run(trial: Trial) -> None:
    """The race first, then one promise after the other on what it left."""
    desk = Desk(trial, await trial.ground.open(connections_max=CLIENTS + 6), ExamCodes(trial.seed.to_bytes(32, "big")))
    await _race(desk)
    await _let_go(desk)
    await _shown_once(desk)
    await _own_day(desk)
    await _vendors_word(desk)
    await _retakes(desk)
    await _other_vendor(desk)
    await _sold_twice(desk)
    await _in_the_clear(desk)
    await books_are_proven(trial, desk.db)


async def _race(desk: Desk) -> None:
    trial = desk.trial
    codes, requests = trial.count(CODES), trial.count(REQUESTS)
    for start in range(0, codes, LOT_CODES_MAX):
        await desk.stock(min(LOT_CODES_MAX, codes - start))
    cases = [f"case {number}" for number in range(requests)]
    asked = cases + trial.chance.sample(cases, min(trial.count(DUPLICATES), requests))
    trial.chance.shuffle(asked)
    answers: dict[str, set[ExamVoucherId | None]] = {case: set() for case in cases}
    work = iter(asked)
    first, second = (issuing(desk.db, SystemClock()) for _ in range(2))

    async def client(number: int) -> None:
        # Half of the clients share transactions, as those of two processes do; the others have each their own.
        ask = [desk.issue, desk.issue, desk.through(first), desk.through(second)][number % 4]
        for case in work:
            for _ in range(TRIES_MAX):
                try:
                    answers[case].add((await ask(case)).exam_voucher_id)
                    break
                except Unavailable:
                    continue

    async with cutting(trial.ground, desk.db, WORKING, most=max(20, requests // 100), rest=lambda: CUT_SECONDS) as cuts:
        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    given = [voucher for one in answers.values() for voucher in one if voucher is not None]
    trial.equal("cases with a code", codes, sum(any(one) for one in answers.values()))
    trial.equal("codes given", codes, len(set(given)))
    trial.equal("codes given to two cases", 0, len(given) - len(set(given)))
    trial.equal("cases with two codes", 0, sum(len(one - {None}) > 1 for one in answers.values()))
    trial.equal(
        "clean answers that there is none left", requests - codes, sum(one == {None} for one in answers.values())
    )
    trial.holds("connections cut meanwhile", "more than 0", bool(cuts.count), cuts.count)
    async with desk.db.connection() as connection:
        rows = await connection.fetch(
            "SELECT exam_voucher_id FROM exam_voucher_allocation GROUP BY exam_voucher_id HAVING count(*) > 1"
        )
        facts = await connection.fetchval("SELECT count(*) FROM outbox WHERE type LIKE '%exam_voucher.issued%'")
    trial.equal("allocations of one code to two attempts", 0, len(rows))
    trial.equal("facts that a code was issued", codes, facts)


async def _let_go(desk: Desk) -> None:
    """The last code is another's for a moment: who asks meanwhile must not hear that there is none."""
    await desk.stock(1)
    owner = await desk.trial.ground.owner()
    turn = owner.transaction()
    await turn.start()
    await owner.execute("SELECT FROM exam_voucher WHERE state = 'available' FOR UPDATE")
    asking = asyncio.create_task(desk.issue("let go"))
    await asyncio.wait({asking}, timeout=0.3)
    await turn.rollback()
    desk.trial.equal("a code that another lets go", ExamVoucherStatus.ISSUED, (await asking).status)


async def _shown_once(desk: Desk) -> None:
    await desk.stock(1)
    voucher = await desk.given("shown")
    await desk.tell("shown", None)
    shown = await asyncio.gather(*(desk.reveal(voucher, key) for key in range(REVEALS)))
    desk.trial.equal("times a code was shown", 1, sum(code is not None for code in shown))


async def _own_day(desk: Desk) -> None:
    """It is still the last day on the far side of the date line, and over on the near one."""
    now = datetime.now(UTC)
    west, east = "Etc/GMT+12", "Etc/GMT-14"
    today = (now - timedelta(hours=12)).date()
    await desk.stock(1, expires_at=expiry.end_of_day(today, west), expiry_zone=west)
    good = await desk.issue("west")
    over = (now + timedelta(hours=14)).date() - timedelta(days=1)
    await desk.stock(1, expires_at=expiry.end_of_day(over, east), expiry_zone=east)
    gone = await desk.issue("east")
    seen = (good.status, good.expires_at, gone.status)
    end = datetime(today.year, today.month, today.day, 11, 59, 59, tzinfo=UTC) + timedelta(days=1)
    expected = (ExamVoucherStatus.ISSUED, end, ExamVoucherStatus.NONE_AVAILABLE)
    desk.trial.equal("codes on their last day where the vendor is", expected, seen)


async def _vendors_word(desk: Desk) -> None:
    [code] = await desk.stock(1)
    voucher = await desk.given("gives up")
    await desk.reveal(voucher, 1)
    await desk.release("gives up")
    trial = desk.trial
    trial.equal("a code that was seen and given back", State.AWAITING_VENDOR, State(await desk.state(voucher)))
    trial.equal("lines of a report that applied", 1, (await desk.report((code, Word.UNUSED)))["applied"])
    trial.equal("the code after the vendor's word", State.AVAILABLE, State(await desk.state(voucher)))
    again = await desk.report((code, Word.UNUSED), note="again")
    trial.equal("the same line in another report", {"repeated": 1}, dict(again))
    unsold = await desk.report((code, Word.DELIVERED))
    trial.equal("a use of a code that nobody has", {"contradiction": 1}, dict(unsold))
    trial.equal("codes left for others after it", ExamVoucherStatus.NONE_AVAILABLE, (await desk.issue("next")).status)


async def _retakes(desk: Desk) -> None:
    await desk.stock(2)
    now = datetime.now(UTC)
    first = await desk.given("again")

    async def asked(at: datetime) -> str:
        try:
            return (await desk.issue("again", 2, now=at)).status.value
        except Unavailable as refused:
            return refused.code

    without = await asked(now + RETAKE_WAIT * 2)
    await desk.tell("again", ExamResult.FAILED)
    early = await asked(now + RETAKE_WAIT / 2)
    desk.trial.equal("retakes without proof, and too early", ("retake_not_yet",) * 2, (without, early))
    second = await desk.given("again", 2, now=now + RETAKE_WAIT * 2)
    desk.trial.holds(
        "a retake's code", "another one", first != second, "another one" if first != second else "the same"
    )


async def _other_vendor(desk: Desk) -> None:
    [code] = await desk.stock(1)
    voucher = next(name for name, sold in desk.sold.items() if sold == code)
    await desk.stock(1, vendor="another-vendor", lot_id="another-vendor/1", order_number="a1")
    ended = await desk.report((code, Word.VOID), form=FORM.model_copy(update={"vendor": "another-vendor"}))
    seen = (dict(ended), await desk.state(voucher))
    desk.trial.equal("a code in another vendor's report", ({"unknown_code": 1}, "available"), seen)


async def _sold_twice(desk: Desk) -> None:
    """The vendor sends a code that it has sold before, for another exam."""
    codes = await desk.stock(1)
    try:
        await desk.take(codes, exam_id="another-exam")
        answer = "taken into stock"
    except CodeKnown as refused:
        answer = refused.code
    desk.trial.equal("a code sold for a second exam", "code_known", answer)


async def _in_the_clear(desk: Desk) -> None:
    """A dump of every table, as a backup holds it, against a sample of the codes."""
    owner = await desk.trial.ground.owner()
    sample = random.Random(desk.trial.seed).sample(sorted(desk.sold.values()), min(200, len(desk.sold)))  # noqa: S311
    found = 0
    for table in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'payments'"):
        rows = await owner.fetch(f"SELECT t::text AS row FROM {table['tablename']} AS t LIMIT 200000")
        text = "\n".join(row["row"] for row in rows)
        found += sum(code in text or code.encode().hex() in text for code in sample)
    desk.trial.equal("codes in the clear in a dump", 0, found)


async def _nothing_kept(*_: Any) -> None:
    return None


async def _no_holders(*_: Any) -> dict[bytes, ExamVoucherId]:
    return {}


_GIVES_BACK_WHAT_WAS_SEEN = {**MOVES, Act.GIVE_BACK: {**MOVES[Act.GIVE_BACK], State.REVEALED: State.AVAILABLE}}
_NO_TRIGGER = changes_schema("ALTER TABLE exam_voucher DISABLE TRIGGER exam_voucher_moves")
_STORE = "services.payments.store.vouchers"
_BLIND = voucher_store.ATTEMPTS.replace("AS a USING (application_id, exam_id, attempt_number)", "AS a ON false", 1)
_DEAF = redemption_store.FILES.replace("AND l.vendor = $2", "AND $2::text IS NOT NULL")
NAME = "exam-vouchers"
DRILLS = (
    Drill(
        NAME,
        "64 clients and cut connections: every code to one case, shown once, back on the vendor's word alone",
        run,
        test_scale=0.01,
    ),
)
FAULTS = (
    Fault(
        "codes-without-locks",
        "Codes are picked without a lock, and one code may have two holders.",
        NAME,
        together(
            patches(f"{_STORE}:ALLOCATE", voucher_store.ALLOCATE.replace("FOR UPDATE SKIP LOCKED", "")),
            changes_schema("DROP INDEX exam_voucher_one_holder"),
        ),
        check="codes given to two cases",
    ),
    Fault(
        "codes-let-go-are-missed",
        "A code that is locked for a moment counts as gone.",
        NAME,
        patches(f"{_STORE}:ALLOCATE_AFTER_WAITING", voucher_store.ALLOCATE),
        "a code that another lets go",
    ),
    Fault(
        "attempts-not-looked-up",
        "Nobody looks whether the attempt has a code, and an attempt may have two.",
        NAME,
        together(
            patches(f"{_STORE}:ATTEMPTS", _BLIND),
            changes_schema(
                "ALTER TABLE exam_voucher_allocation DROP CONSTRAINT exam_voucher_allocation_retake;"
                " ALTER TABLE exam_voucher_allocation DROP CONSTRAINT exam_voucher_allocation_pkey"
            ),
        ),
        "cases with two codes",
    ),
    Fault(
        "expiry-in-utc",
        "The last day of a code ends when it ends in UTC.",
        NAME,
        patches(
            "services.payments.exam_vouchers.expiry:end_of_day",
            lambda day, zone: datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC),
        ),
        "codes on their last day where the vendor is",
    ),
    Fault(
        "reclaimed-without-the-vendor",
        "A code that somebody saw goes back into stock with the case's end.",
        NAME,
        together(patches(f"{_STORE}:MOVES", _GIVES_BACK_WHAT_WAS_SEEN), _NO_TRIGGER),
        "a code that was seen and given back",
    ),
    Fault(
        "revealed-twice",
        "Nobody looks whether a code was shown, and it may be shown again.",
        NAME,
        together(
            patches(f"{_STORE}:reveal_of", _nothing_kept),
            changes_schema("ALTER TABLE exam_voucher_reveal DROP CONSTRAINT exam_voucher_reveal_pkey"),
        ),
        "times a code was shown",
    ),
    Fault(
        "retakes-for-everybody",
        "A further attempt is paid for without proof of failure and without waiting.",
        NAME,
        patches("services.payments.usecases.vouchers:refusal_of", lambda *_, **__: None),
        "retakes without proof, and too early",
    ),
    Fault(
        "reports-about-others",
        "A vendor's report changes codes that another vendor sold.",
        NAME,
        patches("services.payments.store.redemptions:FILES", _DEAF),
        "a code in another vendor's report",
    ),
    Fault(
        "code-sold-for-two-exams",
        "A code counts as new where the vendor sells it for another exam.",
        NAME,
        together(
            patches("services.payments.store.vendor_codes:holders", _no_holders),
            changes_schema("DROP INDEX exam_voucher_vendor_code"),
        ),
        "a code sold for a second exam",
    ),
    Fault(
        "used-but-in-stock",
        "A code whose use nobody can explain stays in stock.",
        NAME,
        patches(
            "services.payments.exam_vouchers.states:MOVES",
            {**MOVES, Act.SET_ASIDE: {}},
        ),
        "codes left for others after it",
    ),
    Fault(
        "codes-in-the-clear",
        "Codes are kept as they came.",
        NAME,
        together(
            patches("services.payments.exam_vouchers.codes:ExamCodes.seal", lambda self, voucher, code: code.encode()),
            patches(
                "services.payments.exam_vouchers.codes:ExamCodes.open", lambda self, voucher, sealed: sealed.decode()
            ),
        ),
        "codes in the clear in a dump",
    ),
)
