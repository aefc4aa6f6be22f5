"""The drill `reconciliation`: payments over a bank that does everything a bank should not, and a process that dies."""

import asyncio
import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from cairn.drills.books import AT, books_are_proven
from cairn.drills.drill import Drill, Trial
from cairn.drills.dying import killed_where_it_stops
from cairn.drills.reconciliation_child import POINTS, work
from cairn.drills.sent_payments import CHECKER, MAKER, Paid, order, send
from contracts.errors import CairnError
from examples.bank import BANK, Bank
from kit.db import Database
from services.payments.gateways import ExchangeFolder
from services.payments.nacha.banking_days import after
from services.payments.remittance import Confirmation, write_confirmations
from services.payments.usecases import reconciliation_acts as acts
from services.payments.usecases.batches import transmit_batches
from services.payments.usecases.reconciliation import reconcile_open
from services.payments.usecases.reconciliation_page import page_of
from services.payments.usecases.statements import take_statement

PAYMENTS, BATCHES = 1_000, 10
QUIET_DAYS_MAX = 20
OURS = frozenset({f"{BANK}/*2468", f"{BANK}/*8642"})
BEHAVIORS = {
    "LAT": "late",
    "DUP": "duplicate",
    "PAR": "partial",
    "BAR": "bare",
    "RET": "return",
    "BCK": "late_return",
}
FILES = ("wrong_total", "again", "overlap", "gap")
COME_BACK = ("RET", "BCK")
CONFIRMED_SHARE = KILLED_SHARE = 0.5

NO_EVIDENCE = """
SELECT count(*) FROM disbursement AS d WHERE d.state = 'settled' AND NOT EXISTS (
    SELECT FROM payment_evidence AS e
    WHERE e.disbursement_id = d.disbursement_id AND e.effect IN ('settles', 'confirms')
) AND NOT d.disbursement_id = ANY ($1::text[])
"""
FACTS = """
SELECT type, convert_from(payload, 'UTF8')::jsonb ->> 'disbursement_id' AS disbursement_id, count(*) AS times
FROM outbox WHERE type LIKE 'cairn.payments.disbursement.%' GROUP BY 1, 2 HAVING count(*) > 1
"""
OUT_OF_ORDER = """
SELECT count(*) FROM (
    SELECT day, lag(day) OVER (PARTITION BY account ORDER BY chain_number) AS before FROM bank_statement
    WHERE state = 'accepted' AND new_lines > 0
) AS s WHERE s.day < s.before
"""
BALANCES = """
SELECT DISTINCT ON (account) account, closing_cents FROM bank_statement
WHERE state = 'accepted' ORDER BY account, chain_number DESC
"""
STAGES = """
SELECT sum(in_transit_cents)::bigint AS in_transit_cents, sum(disbursed_cents)::bigint AS disbursed_cents,
    sum(payable_cents)::bigint AS payable_cents
FROM balance WHERE level = 'line'
"""
KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'cairn drill' AND wait_event_type = 'Lock'
"""
WRITTEN = ("payment_evidence", "statement_line", "disbursement", "outbox")


@dataclass
class Campaign:
    """The payments, the bank, and what the drill knows of both that the books do not."""

    trial: Trial
    db: Database
    exchange: ExchangeFolder
    bank: Bank
    payments: list[Paid]
    points: list[str]
    """Where the next processes die, one a day."""
    now: datetime = AT
    confirmed: set[str] = field(default_factory=set[str])
    kills: int = 0
    unproven: int = 0
    """Payments that some look from outside found settled without a word of bank or finance system."""
    alone: int = 0
    """Decisions that moved money with one person."""

    async def day(self, *, kill: bool) -> None:
        """The bank's day, and ours: read what came, match it, let two people end what rules may not."""
        self.now = datetime.combine(after(self.now.date(), 1), self.now.timetz())
        self.bank.day = self.now.date()
        self.bank.look()
        if kill:
            await self._killed()
        elif self.points:
            await self._dies()
        await self._work()
        await self._people()
        await self._look()

    async def _work(self) -> None:
        await work(exchange=self.exchange, ours=OURS, db=self.db, now=self.now)

    async def _dies(self) -> None:
        """The same work in a process that dies; where the day has nothing that brings it there, tomorrow's does."""
        ground, path = self.trial.ground, self.trial.ground.folder / "child.json"
        config = {"folder": str(ground.folder), "dsn": ground.dsn_of("cairn_payments"), "ours": sorted(OURS)}
        path.write_text(json.dumps(config | {"point": self.points[0], "now": self.now.isoformat()}), encoding="utf-8")
        if await killed_where_it_stops("-m", "cairn.drills.reconciliation_child", str(path)):
            self.points.pop(0)
        await self._look()

    async def _killed(self) -> None:
        """The same work, cut off by the death of its connection while it writes to a table that chance decides."""
        table = "payment_evidence" if self.kills == 0 else self.trial.chance.choice(WRITTEN)
        holder, killer = await self.trial.ground.owner(), await self.trial.ground.owner()
        async with holder.transaction():
            # Whoever writes to it now waits, in the middle of its transaction.
            await holder.execute(f"LOCK TABLE {table} IN SHARE MODE")
            working = asyncio.create_task(self._work())
            killed = 0
            while not (killed or working.done()):
                await asyncio.wait({working}, timeout=0.005)
                killed = len(await killer.fetch(KILL))
            self.kills += killed
        with contextlib.suppress(CairnError):
            await working
        for each in (holder, killer):
            await each.close()

    async def _people(self) -> None:
        """Two people find the payment behind each line that names none; one explains fees."""
        page = await page_of(db=self.db, now=self.now)
        for one, _ in page.lines:
            names = [each["id"] for each in one.candidates if each["reason"] == "amount"]
            if one.reason != "candidates_found" or len(names) != 1:
                continue
            line_id = one.line.line_id
            act = await acts.match_line(line_id, names[0], "by phone", maker=MAKER, db=self.db, now=self.now)
            if act.state == "done":
                self.alone += names[0] not in self.confirmed
            else:
                await acts.agree(act.act_id, checker=CHECKER, ours=OURS, db=self.db, now=self.now)

    async def _look(self) -> None:
        owner = await self.trial.ground.owner()
        self.unproven = max(self.unproven, await owner.fetchval(NO_EVIDENCE, sorted(self.confirmed)))
        await owner.close()

    def confirm(self, payments: list[Paid]) -> None:
        """The finance system's word on half of them; that on the others is lost."""
        chosen = [one for one in payments if self.trial.chance.random() < CONFIRMED_SHARE and one.name[:3] != "RET"]
        self.confirmed |= {one.disbursement_id for one in chosen}
        words = [
            Confirmation(one.disbursement_id, "V1", f"P{one.disbursement_id[-12:]}", self.now.date(), "PAID")
            for one in chosen
        ]
        inbound = self.trial.ground.folder / "inbound"
        (inbound / f"{self.now:%m%d}-{len(self.confirmed)}.pcf").write_bytes(write_confirmations(words, self.now))


async def run(trial: Trial) -> None:
    """Batches over several banking days; then days until the bank has told everything; then all files once more."""
    campaign = await _campaign(trial)
    size = max(1, len(campaign.payments) // BATCHES)
    for at in range(0, len(campaign.payments), size):
        some = campaign.payments[at : at + size]
        await order_and_send(campaign, some, first=at == 0)
        campaign.confirm(some)
        await campaign.day(kill=at == 0 or (not campaign.points and trial.chance.random() < KILLED_SHARE))
    for _ in range(QUIET_DAYS_MAX):
        await campaign.day(kill=False)
        if campaign.bank.quiet:
            break
    await campaign.day(kill=False)
    await _check(trial, campaign)
    await _once_more(trial, campaign)
    await books_are_proven(trial, campaign.db)


async def order_and_send(campaign: Campaign, payments: list[Paid], *, first: bool) -> None:
    """These payments, in one file that is out."""
    if first:
        await order(campaign.trial.ground, campaign.db, campaign.payments)
        owner = await campaign.trial.ground.owner()
        await owner.execute("UPDATE disbursement SET state = 'stopped'")
        await owner.close()
    owner = await campaign.trial.ground.owner()
    ids = [one.disbursement_id for one in payments]
    await owner.execute("UPDATE disbursement SET state = 'ordered' WHERE disbursement_id = ANY ($1::text[])", ids)
    await owner.close()
    await send(campaign.db, now=campaign.now)
    await transmit_batches(exchange=campaign.exchange, db=campaign.db, now=campaign.now)


async def _campaign(trial: Trial) -> Campaign:
    folder = trial.ground.folder
    for name in ("outbound", "inbound"):
        (folder / name).mkdir()
    starts = ["INV"] * 10 + list(BEHAVIORS)
    count = trial.count(PAYMENTS, least=80)
    # Amounts all different: which payment is behind a line that names none is then for two people to say, not to guess.
    amounts = trial.chance.sample(range(100_000, 300_000), k=count)
    payments = [
        Paid(f"{starts[at] if at < len(starts) else trial.chance.choice(starts)}-{at:06d}", amounts[at])
        for at in range(count)
    ]
    files = [*FILES, *(trial.chance.choice((*FILES, "")) for _ in range(BATCHES))]
    bank = Bank(folder, folder / "bank.jsonl", BEHAVIORS, files, seed=trial.seed)
    points = trial.chance.sample(sorted(POINTS), trial.count(len(POINTS), least=2))
    return Campaign(trial, await trial.ground.open(), ExchangeFolder(folder), bank, payments, points)


async def _check(trial: Trial, campaign: Campaign) -> None:
    owner = await trial.ground.owner()
    states = {row[0]: row[1] for row in await owner.fetch("SELECT disbursement_id, state FROM disbursement")}
    expected = {
        one.disbursement_id: "returned" if one.name[:3] in COME_BACK else "settled" for one in campaign.payments
    }
    wrong = Counter(f"{expected[name]} but {state}" for name, state in states.items() if state != expected[name])
    trial.equal("payments that do not stand where the bank put them", {}, dict(wrong))
    paid = sum(one.amount_cents for one in campaign.payments if expected[one.disbursement_id] == "settled")
    back = sum(one.amount_cents for one in campaign.payments) - paid
    stages = await owner.fetchrow(STAGES)
    assert stages is not None
    trial.equal("cents in transit, disbursed, payable", (0, paid, back), tuple(stages.values()))
    moved = campaign.bank.moved_cents
    trial.equal("cents that left the bank, and cents disbursed", -moved, stages["disbursed_cents"])
    opened = await owner.fetch("SELECT reason, count(*) FROM statement_line WHERE state = 'open' GROUP BY 1")
    trial.equal("lines that have not ended", {}, {row[0]: row[1] for row in opened})
    lines = await owner.fetchval("SELECT count(*) FROM statement_line")
    trial.equal("lines, and movements at the bank", campaign.bank.movements, lines)
    balances = {row[0]: row[1] for row in await owner.fetch(BALANCES)}
    own = {"*2468": campaign.bank.paying.balance_cents, "*8642": campaign.bank.returning.balance_cents}
    trial.equal("balances of the accounts, as the bank has them", own, balances)
    trial.equal("most payments ever seen settled on nobody's word", 0, campaign.unproven)
    trial.equal("decisions that moved money with one person", 0, campaign.alone)
    trial.equal("facts about a payment told twice", [], [tuple(row) for row in await owner.fetch(FACTS)])
    faulty = await owner.fetchval("SELECT count(*) FROM bank_statement WHERE place = 0")
    trial.equal("statements kept with a wrong total", campaign.bank.wrong_totals, faulty)
    out_of_order = await owner.fetchval(OUT_OF_ORDER)
    trial.equal("statements that came before the one they continue", 0, out_of_order)
    page = await page_of(db=campaign.db, now=campaign.now)
    totals = (page.in_transit.ledger_cents, page.in_transit.entries_cents, page.in_transit.expected_cents)
    trial.equal("in transit: ledger, entries, expected", (0, 0, 0), totals)
    trial.equal("points at which no process came to die", [], campaign.points)
    trial.holds("connections killed while settling", "more than 0", campaign.kills > 0, campaign.kills)


async def _once_more(trial: Trial, campaign: Campaign) -> None:
    """Every statement again, in another order and under other names: nothing may change."""
    owner = await trial.ground.owner()
    before = await _state_of(owner)
    processed = sorted((trial.ground.folder / "inbound" / "processed").iterdir())
    trial.chance.shuffle(processed)
    for path in processed:
        if not path.name.endswith(".pcf"):
            content = path.read_bytes()
            await take_statement(
                f"again-{path.name}", content, taker="drill", ours=OURS, db=campaign.db, now=campaign.now
            )
    await reconcile_open(db=campaign.db, now=campaign.now + timedelta(minutes=1))
    trial.equal("the books after every statement came once more", before, await _state_of(owner))


async def _state_of(owner: "asyncpg.Connection[asyncpg.Record]") -> tuple[object, ...]:
    row = await owner.fetchrow(
        "SELECT (SELECT count(*) FROM transfer), (SELECT count(*) FROM statement_line),"
        " (SELECT count(*) FROM payment_evidence), (SELECT count(*) FROM bank_statement),"
        " (SELECT md5(string_agg(line_id || state || reason, ',' ORDER BY line_id)) FROM statement_line)"
    )
    assert row is not None
    return tuple(row.values())


DRILLS = (
    Drill(
        "reconciliation",
        "every line of a misbehaving bank ends; settled only on evidence, once; the books are the bank's to the cent",
        run,
        test_scale=0.08,
    ),
)
