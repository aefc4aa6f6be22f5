"""The drill `bank-files`: two people, one content, one transmission, evidence before settlement, returns stay owed.

The finance office is killed by SIGKILL in and between its steps; the bank keeps its own journal of what reached it.
"""

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from cairn.drills.bank_files_child import POINTS, work
from cairn.drills.bank_files_desk import AT, CENTS, COOLING_DAYS, MAKER, MOVING, PROVIDER, Desk
from cairn.drills.books import books_are_proven
from cairn.drills.drill import TO_ITS_END, Drill, Fault, Trial, changes_schema, drops_constraint, patches, together
from cairn.drills.dying import killed_where_it_stops
from contracts.errors import CairnError
from contracts.ids import DisbursementId
from services.payments.gateways import ExchangeFolder
from services.payments.payees.payees import AccountState, Rail, Waits
from services.payments.rails.letter import LETTER_SUFFIX
from services.payments.remittance import Confirmation, read_vouchers, write_confirmations
from services.payments.usecases.batches import mark_transmitted, transmit_batches
from services.payments.usecases.confirmations import take_confirmations
from services.payments.usecases.screening import approve_release, hold_payee, propose_release

SETTLING = ("while a settlement is saved", "after a settlement is saved")
PAYMENTS_A_POINT = 20
APPROPRIATED_CENTS = 10_000_000_000
OTHER_SUPPLIERS_FROM = 666


@dataclass
class Bank:
    """Takes every file that appears, once, and writes down what stood in it."""

    folder: Path
    taken: Counter[str] = field(default_factory=Counter[str])
    files: int = 0
    letters_missing: int = 0

    def take(self) -> None:
        outbound = self.folder / "outbound"
        for path in sorted(outbound.glob("*.pvf")) if outbound.exists() else []:
            payments = read_vouchers(path.read_bytes()).payments
            self.letters_missing += not (outbound / f"{path.stem}{LETTER_SUFFIX}").exists()
            path.unlink()
            self.files += 1
            self.taken.update(one.disbursement_id for one in payments)
            self._answer(path.stem, [one.disbursement_id for one in payments])

    def _answer(self, batch: str, ids: list[str]) -> None:
        inbound = self.folder / "inbound"
        inbound.mkdir(parents=True, exist_ok=True)
        words = [
            Confirmation(DisbursementId(one), f"V{number}", f"P{self.files}-{number}", date(2026, 3, 11), "PAID")
            for number, one in enumerate(ids, 1)
        ]
        (inbound / f"{batch}.{self.files}.pcf").write_bytes(write_confirmations(words, AT))


async def run(trial: Trial) -> None:
    """Deaths first, then one guard after the other."""
    desk = Desk(trial, await trial.ground.open(connections_max=6), trial.ground.folder)
    await desk.open_program(APPROPRIATED_CENTS)
    await _deaths(desk)
    await _two_people(desk)
    await _sent_as_posted(desk)
    await _sent_once(desk)
    await _returned(desk)
    await _listed_otherwise(desk)
    await _new_account(desk)
    await _held(desk)
    await books_are_proven(trial, desk.db)


async def _deaths(desk: Desk) -> None:
    trial, bank, path = desk.trial, Bank(desk.folder), desk.folder / "child.json"
    config = {"seed": trial.seed, "folder": str(desk.folder), "dsn": trial.ground.dsn_of("cairn_payments")}
    points = trial.chance.sample(sorted(POINTS), min(len(POINTS), trial.count(len(POINTS), least=2)))
    owed: list[DisbursementId] = []
    died: list[str] = []
    for point in points:
        owed += await desk.owe(trial.count(PAYMENTS_A_POINT, least=2))
        if point in SETTLING:
            await work(config)
            bank.take()
        path.write_text(json.dumps(config | {"point": point}), encoding="utf-8")
        if await killed_where_it_stops("-m", "cairn.drills.bank_files_child", str(path)):
            died.append(point)
        # The bank takes what is there at once: a second copy of a file would be a second file.
        bank.take()
        for _ in range(2):
            await work(config)
            bank.take()
    await work(config)
    trial.equal("processes that died where they should", points, died)
    trial.equal("payments that reached the bank", sorted(owed), sorted(bank.taken))
    trial.equal("payments that reached the bank twice", [], [one for one, times in bank.taken.items() if times > 1])
    trial.equal("files without their letter", 0, bank.letters_missing)
    stages = await desk.stages()
    trial.equal("cents disbursed", len(owed) * CENTS, stages.get("disbursed", 0))
    trial.equal("cents left in transit or payable", 0, stages.get("in_transit", 0) + stages.get("payable", 0))
    entries = await _count(desk, "transfer")
    await work(config)
    bank.take()
    trial.equal("journal entries of another run", entries, await _count(desk, "transfer"))


async def _two_people(desk: Desk) -> None:
    await desk.owe(1)
    batch = await desk.build()
    await _refused(desk, "approving one's own batch", lambda: desk.approve(batch, checker=MAKER), "maker_is_checker")
    await _refused(
        desk, "approving one's own change of a payee", lambda: desk.move_to_ach(PROVIDER, checker=MAKER),
        "maker_is_checker",
    )  # fmt: skip

    async def release_alone() -> None:
        async with desk.db.transaction() as tx:
            hold = await hold_payee(tx, MOVING, "a drill", by=MAKER, now=AT)
            await propose_release(tx, MOVING, hold.hold_id, "a drill", maker=MAKER, now=AT)
            await approve_release(tx, MOVING, hold.hold_id, checker=MAKER, now=AT)

    await _refused(desk, "releasing a payee alone", release_alone, "maker_is_checker")


async def _sent_as_posted(desk: Desk) -> None:
    trial, before = desk.trial, (await desk.stages()).get("in_transit", 0)
    await desk.owe(1)
    approved = await desk.approve(await desk.build())
    after = (await desk.stages()).get("in_transit", 0)
    trial.equal("cents in transit for the cents in the file", approved.total_cents, after - before)
    for name, change in (
        ("rebuilding an approved file", "content = 'x'::bytea, content_sha256 = sha256('x'::bytea)"),
        ("sending a file back to be built", "state = 'built', content = NULL, content_sha256 = NULL"),
    ):
        sql = f"UPDATE payment_batch SET {change} WHERE batch_id = $1"
        await _refused(desk, name, lambda sql=sql: _execute(desk, sql, approved.batch_id), "CheckViolationError")
    sql = "UPDATE disbursement SET state = 'settled', settlement_evidence = NULL WHERE batch_id = $1"
    await _refused(
        desk, "settling without evidence", lambda: _execute(desk, sql, approved.batch_id), "CheckViolationError"
    )


class _Death(BaseException):
    """The office ends between two steps."""


class _DyingFolder(ExchangeFolder):
    """Ends the office just after its file went out."""

    def release(self, name: str, token: str) -> bool:
        super().release(name, token)
        raise _Death


async def _sent_once(desk: Desk) -> None:
    """The office ends between sending and noting it; the bank has taken the file by the time it is back."""
    await desk.owe(1)
    await desk.approve(await desk.build())
    folder = desk.folder / "once"
    bank = Bank(folder)
    for exchange in (_DyingFolder(folder), ExchangeFolder(folder), ExchangeFolder(folder)):
        with suppress(_Death):
            await transmit_batches(exchange=exchange, db=desk.db, now=AT)
        bank.take()
    desk.trial.equal("files that went out twice", [], [one for one, times in bank.taken.items() if times > 1])


async def _returned(desk: Desk) -> None:
    """One payment comes back before it settled, another after: both are owed, neither is available."""
    trial = desk.trial
    first, second = await desk.owe(2)
    await desk.approve(await desk.build())
    before = await desk.stages()
    day = date(2026, 3, 12)
    for number, word in enumerate(
        (
            Confirmation(second, "V", "L2", day, "PAID"),
            Confirmation(first, "V", "L1", day, "RETURNED", "R03"),
            Confirmation(second, "V", "L2", day, "RETURNED", "R02"),
        )
    ):
        await take_confirmations(f"return {number}", write_confirmations([word], AT), db=desk.db, now=AT)
    after = await desk.stages()
    moved = {name: after.get(name, 0) - before.get(name, 0) for name in ("available", "payable", "in_transit")}
    trial.equal("cents moved by two returns", {"available": 0, "payable": 2 * CENTS, "in_transit": -2 * CENTS}, moved)


async def _listed_otherwise(desk: Desk) -> None:
    """A later pack lists other supplier numbers: money goes where it went before."""
    await desk.owe(1)
    await desk.open_program(
        APPROPRIATED_CENTS, numbers_from=OTHER_SUPPLIERS_FROM, published_at=AT + timedelta(minutes=1)
    )
    await desk.owe(1)
    batch = await desk.approve(await desk.build())
    addressed = [one.supplier_number for one in read_vouchers(batch.content or b"").payments]
    desk.trial.equal("supplier numbers paid under after another pack", ["0000000001"] * 2, addressed)


async def _new_account(desk: Desk) -> None:
    """Nothing reaches a new account before its cooling-off period and its prenote are over."""
    trial = desk.trial
    await desk.owe(1, MOVING)
    await desk.move_to_ach(MOVING)
    prenote = await desk.approve(await desk.build(Rail.ACH))
    trial.equal("payments beside a new account's prenote", (0, 1), (prenote.payments, prenote.prenotes))
    async with desk.db.transaction() as tx:
        await mark_transmitted(tx, prenote.batch_id, now=AT)
    await _refused(desk, "paying to an account that cools off", lambda: _ach(desk, COOLING_DAYS - 1), "nothing_to_pay")
    async with desk.db.transaction() as tx:
        await tx.execute("UPDATE payee_account SET usable_at = $1", AT)
    await _refused(desk, "paying before the prenote can have come back", lambda: _ach(desk, 1), "nothing_to_pay")
    paid = await _ach(desk, COOLING_DAYS)
    trial.equal("payments to the account once it may be paid to", 1, paid.payments)
    await desk.owe(1, MOVING)
    again = await _ach(desk, COOLING_DAYS)
    async with desk.db.connection() as connection:
        twice = await connection.fetchval(
            "SELECT count(*) FROM (SELECT FROM payment_entry GROUP BY trace HAVING count(trace) > 1)"
        )
        ids = await connection.fetchval(
            "SELECT count(DISTINCT (file_on, id_modifier)) FROM payment_batch WHERE id_modifier IS NOT NULL"
        )
    trial.equal("trace numbers that stand in two entries", 0, twice)
    trial.holds("file ids of three ACH files", "3", ids == 3 and again.payments == 1, ids)


async def _held(desk: Desk) -> None:
    await desk.owe(1)
    async with desk.db.transaction() as tx:
        await hold_payee(tx, PROVIDER, "a drill", by=MAKER, now=AT)
    await _refused(desk, "paying a payee that is held", desk.build, "nothing_to_pay")


async def _ach(desk: Desk, days: int) -> Any:
    now = AT + timedelta(days=days)
    return await desk.approve(await desk.build(Rail.ACH, now=now), now=now)


async def _refused(desk: Desk, name: str, act: Callable[[], Awaitable[Any]], expected: str) -> None:
    """This must not be possible, and say why."""
    try:
        await act()
    except CairnError as error:
        desk.trial.equal(name, expected, error.code)
    except asyncpg.PostgresError as error:
        desk.trial.equal(name, expected, type(error).__name__)
    else:
        desk.trial.equal(name, expected, "it was done")


async def _execute(desk: Desk, sql: str, *given: Any) -> None:
    async with desk.db.transaction() as tx:
        await tx.execute(sql, *given)


async def _count(desk: Desk, table: str) -> int:
    async with desk.db.connection() as connection:
        return await connection.fetchval(f"SELECT count(*) FROM {table}")


NAME = "bank-files"
DRILLS = (
    Drill(
        NAME,
        "A file has a maker and a checker, is never rebuilt, goes out once; money settles on evidence alone.",
        run,
    ),
)


async def _nothing(*_: Any, **__: Any) -> None:
    return None


async def _nobody(*_: Any, **__: Any) -> set[str]:
    return set()


async def _noted_nowhere(_tx: Any, _batch: str, token: str) -> str:
    return token


async def _first(*_: Any, **__: Any) -> int:
    return 1


def _active_only(account: Any, **_: Any) -> Waits | None:
    return None if account.state is AccountState.ACTIVE and account.prenote_on else Waits.NO_ACCOUNT


PACK_DECIDES = """
INSERT INTO payee (provider_id, supplier_number, name, changed_at)
SELECT *, $4 FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (provider_id) DO UPDATE SET supplier_number = excluded.supplier_number RETURNING provider_id
"""


def _anybody(*_: Any) -> None:
    return None


USECASES = "services.payments.usecases"
FAULTS = (
    Fault(
        "bank-files-maker-checks",
        "Whoever made a batch may approve it.",
        NAME,
        together(
            patches(f"{USECASES}.batches:two_people", _anybody),
            drops_constraint("payment_batch", "maker_is_not_checker"),
        ),
        "approving one's own batch",
    ),
    Fault(
        "payee-change-checked-by-its-maker",
        "Whoever proposed a payee's new account may approve it.",
        NAME,
        together(
            patches(f"{USECASES}.payees:two_people", _anybody),
            drops_constraint("payee_change", "maker_is_not_checker", "caller_is_not_checker"),
        ),
        "approving one's own change of a payee",
    ),
    Fault(
        "payee-released-by-one",
        "One person alone releases a payee that is held.",
        NAME,
        together(
            patches(f"{USECASES}.screening:two_people", _anybody),
            drops_constraint("payee_hold", "maker_is_not_checker"),
        ),
        "releasing a payee alone",
    ),
    Fault(
        "bank-file-sent-before-posting",
        "A file is approved without its money in transit.",
        NAME,
        patches(f"{USECASES}.batches:post_moves", _nothing),
        "cents in transit for the cents in the file",
    ),
    Fault(
        "bank-file-rebuilt",
        "A file may be written anew after it was approved.",
        NAME,
        changes_schema("ALTER TABLE payment_batch DISABLE TRIGGER payment_batch_final"),
        "rebuilding an approved file",
    ),
    Fault(
        "settled-without-evidence",
        "A payment counts as settled though nobody said so.",
        NAME,
        drops_constraint("disbursement", "settled_on_evidence"),
        "settling without evidence",
    ),
    Fault(
        "return-to-available",
        "A returned payment's money is free to be promised again.",
        NAME,
        changes_schema("UPDATE posting_rule SET credit = 'available' WHERE kind = 'return'"),
        "cents moved by two returns",
    ),
    Fault(
        "payee-redirected-by-a-pack",
        "A program's pack changes the supplier number that a payee is paid under.",
        NAME,
        patches("services.payments.store.payees:KNOW", PACK_DECIDES),
        "supplier numbers paid under after another pack",
    ),
    Fault(
        "cooling-off-skipped",
        "A new account is paid to as soon as it is approved.",
        NAME,
        patches("services.payments.payees.payees:obstacle", _active_only),
        "paying to an account that cools off",
    ),
    Fault(
        "prenote-not-awaited",
        "A new account is paid to before its prenote can have come back.",
        NAME,
        patches("services.payments.payees.payees:first_live_day", lambda day: day),
        "paying before the prenote can have come back",
    ),
    Fault(
        "hold-overlooked",
        "A payee is paid although it is held.",
        NAME,
        patches("services.payments.store.payees:held", _nobody),
        "paying a payee that is held",
    ),
    Fault(
        "bank-file-sent-again",
        "That a file is on its way is noted nowhere, so it goes out again after a crash.",
        NAME,
        patches("services.payments.store.batches:begin_transmission", _noted_nowhere),
        "files that went out twice",
    ),
    Fault(
        "traces-begin-anew",
        "Every file counts its trace numbers from one.",
        NAME,
        patches("services.payments.store.batches:next_traces", _first),
        check=TO_ITS_END,
        seen="payment_entry_trace",
    ),
)
