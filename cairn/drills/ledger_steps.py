"""The drill `model`: a long random conversation with the posting function, each answer beside the pure model's."""

import random
from collections import deque
from dataclasses import dataclass, field, replace

from cairn.drills.books import AT, books_are_proven
from cairn.drills.drill import Drill, Trial
from cairn.drills.ledger_model import Model
from contracts.ids import TransferId
from contracts.plan import CostKind
from kit.db import Connection
from services.payments.books.ledger import RULES, STAGES, Kind, Phase, Scope, Transfer, line_row
from services.payments.store import ledger as store

STEPS = 20_000
STEPS_PER_TRANSACTION = 10
YEARS = tuple(range(2021, 2029))
MOVES = tuple(kind for kind, rule in RULES.items() if rule.from_pending)
RECENT = 60


@dataclass
class Conversation:
    """Makes up batches: some plain, some that must be refused, some that were asked before."""

    chance: random.Random
    model: Model
    asked: list[Transfer] = field(default_factory=list[Transfer])
    recent: deque[Transfer] = field(default_factory=lambda: deque[Transfer](maxlen=RECENT))

    def batch(self) -> list[Transfer]:
        """The transfers of one step."""
        makers = (
            (self.fund, 8), (self.withdraw, 3), (self.holds, 30), (self.moves, 30), (self.anything, 8),
            (self.at_once, 10), (self.again, 12), (self.corrections, 7),
        )  # fmt: skip
        [make] = self.chance.choices([one for one, _ in makers], [weight for _, weight in makers])
        made = make()
        self.asked += made
        return made

    def fund(self) -> list[Transfer]:
        year = self.chance.choice(YEARS)
        row = self.chance.choice(rows_of(year))
        scope = Scope(line_row("p", year), **{row.split("/", 1)[0]: row})
        return [self.transfer(Kind.APPROPRIATE, scope, self.chance.randint(500, 5_000))]

    def withdraw(self) -> list[Transfer]:
        return [replace(self.fund()[0], id=self._id(), kind=Kind.WITHDRAW_APPROPRIATION)]

    def holds(self) -> list[Transfer]:
        return [self.transfer(Kind.HOLD, self._scope(), self._cents()) for _ in range(self.chance.randint(1, 6))]

    def moves(self) -> list[Transfer]:
        """Legal next moves of money that is there, sometimes two of the same."""
        open_ = [one for one in self.recent if self.model.left[one.id] and _next(one.kind)]
        if not open_:
            return self.holds()
        before = self.chance.choice(open_)
        cents = max(1, self.model.left[before.id] // self.chance.choice((1, 1, 2, 3)))
        return [
            self._move(before, self.chance.choice(_next(before.kind)), cents)
            for _ in range(self.chance.choice((1, 1, 2)))
        ]

    def anything(self) -> list[Transfer]:
        if not self.recent:
            return self.holds()
        before = self.chance.choice(self.recent)
        move = self._move(before, self.chance.choice(MOVES), self._cents())
        # A row is of one year's book; another year's takes nothing in it.
        astray = self.transfer(
            self.chance.choice((Kind.HOLD, Kind.APPROPRIATE, Kind.CARRY_IN)),
            replace(self._scope(), book=line_row("p", self.chance.choice(YEARS[1:]))),
            self._cents(),
        )
        other = (replace(move, cost_line=CostKind.BOOKS), replace(move, scope=self._scope()))
        return [self.chance.choice((move, *other, astray, replace(astray, scope=replace(astray.scope, line=None))))]

    def at_once(self) -> list[Transfer]:
        """Later transfers of a batch stand on earlier ones of the same batch."""
        hold = replace(
            self.transfer(Kind.HOLD, self._scope(), self._cents()), cost_line=self.chance.choice(list(CostKind))
        )
        part = max(1, hold.amount_cents - self.chance.choice((0, 0, 1, -1)))
        return [hold, self._move(hold, Kind.ENCUMBER, part), self._move(hold, Kind.RELEASE_HOLD, 1)]

    def again(self) -> list[Transfer]:
        """Requests that came before, word for word or with one word changed."""
        if not self.asked:
            return self.holds()
        before = self.chance.choice(self.asked[-500:])
        other = self.chance.choice(YEARS)
        changed = (
            before,
            replace(before, amount_cents=before.amount_cents + 1),
            replace(before, scope=Scope(line_row("p", other), line=line_row("p", other))),
        )
        return [self.chance.choice(changed), *self.chance.choice(([], [before]))]

    def corrections(self) -> list[Transfer]:
        """Entries that continue another one, of any year, for as much as it has, or more."""
        if not self.recent:
            return self.holds()
        target = self.chance.choice(self.recent)
        cents = max(1, target.amount_cents // self.chance.choice((1, 2)))
        made = [self.transfer(Kind.CARRY_IN, self._scope(), cents) for _ in range(self.chance.choice((1, 2, 3)))]
        wanted = self.chance.choice((target.id, target.id, target.id, TransferId.derive("nothing")))
        return [replace(one, links_to=wanted) for one in made]

    def transfer(self, kind: Kind, scope: Scope, cents: int) -> Transfer:
        """A transfer that was not asked for before."""
        return Transfer(self._id(), kind, scope, cents, "drill", "drill", AT)

    def _move(self, before: Transfer, kind: Kind, cents: int) -> Transfer:
        made = self.transfer(kind, before.scope, cents)
        return replace(made, pending_id=before.id, cost_line=before.cost_line)

    def _id(self) -> TransferId:
        return TransferId.derive("model", self.chance.getrandbits(64))

    def _cents(self) -> int:
        return self.chance.randint(1, 400)

    def _scope(self) -> Scope:
        # Nothing is promised in the first year: its books can be shut.
        year = self.chance.choice(YEARS[1:])
        line, round_, *awards, person = rows_of(year)
        award = self.chance.choice((*awards, "award/p/nobody/nobody"))
        return Scope(line, line, round_, award, person if self.chance.random() < 0.3 else None)


def rows_of(year: int) -> tuple[str, ...]:
    """A year's line, round, two awards and a person with a cap."""
    return (line_row("p", year), f"round/p/{year}", f"award/p/{year}/a", f"award/p/{year}/b", f"person/p/{year}/ann")


def _next(kind: Kind) -> list[Kind]:
    return [one for one in MOVES if RULES[one].debit is RULES[kind].credit]


async def run(trial: Trial) -> None:
    """Every code, every balance row, and at the end the prover."""
    db = await trial.ground.open(connections_max=2)
    talk = Conversation(trial.chance, Model())
    steps, diverged = trial.count(STEPS), 0
    closings = iter([(year, phase) for year in YEARS[:-2] for phase in (Phase.SOFT_CLOSED, Phase.HARD_CLOSED)])
    for start in range(0, steps, STEPS_PER_TRANSACTION):
        async with db.transaction() as tx:
            for _ in range(STEPS_PER_TRANSACTION):
                diverged += not await _agree(tx, talk)
            if trial.chance.random() < 12 * STEPS_PER_TRANSACTION / steps and start > steps / 4:
                diverged += not await _close(tx, talk, next(closings, None))
        if diverged:
            break
    trial.equal("steps in which ledger and model differ", 0, diverged)
    trial.holds("transfers asked", f"at least {steps}", diverged > 0 or len(talk.asked) >= steps, len(talk.asked))
    phases = sorted({phase.value for phase in talk.model.phases.values()})
    trial.holds("phases of closed years", "soft and hard", len(phases) == 2 or steps < 1_000, phases)
    async with db.connection() as connection:
        outcomes = await connection.fetch("SELECT outcome, count(*) FROM transfer GROUP BY outcome")
    trial.holds("kinds of outcome met", "at least 6", len(outcomes) >= 6 or steps < 1_000, len(outcomes))
    await books_are_proven(trial, db)


async def _agree(tx: Connection, talk: Conversation) -> bool:
    batch = talk.batch()
    posted = await store.post(tx, batch)
    expected = talk.model.post(batch)
    talk.recent.extend(one for one in batch if one.id in talk.model.accepted)
    touched = sorted({row for one in batch for row in one.scope.rows})
    rows = await store.balances(tx, touched)
    stages = {name: [row.stages[stage.value] for stage in STAGES] for name, row in rows.items()}
    modeled = {
        name: [talk.model.rows[name][stage.value] for stage in STAGES] for name in touched if name in talk.model.rows
    }
    return [one.code for one in posted] == expected and stages == modeled


async def _close(tx: Connection, talk: Conversation, which: tuple[int, Phase] | None) -> bool:
    """The next phase of a year; what its line has left goes back first, or the hard close is refused."""
    if which is None:
        return True
    year, phase = which
    line, agreed = line_row("p", year), True
    left = talk.model.rows.get(line, {}).get("available", 0)
    if phase is Phase.HARD_CLOSED and left:
        back = talk.transfer(Kind.WITHDRAW_APPROPRIATION, Scope(line, line=line), left)
        [posted] = await store.post(tx, [back])
        agreed = [posted.code] == talk.model.post([back])
    return agreed and await store.close_line(tx, line, phase) == talk.model.close(line, phase)


DRILLS = (
    Drill(
        "model",
        "20,000 random steps: the posting function and a page of Python never differ",
        run,
        seconds_max=1_800,
        test_scale=0.03,
    ),
)
