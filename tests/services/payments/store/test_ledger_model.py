"""The posting function against a pure model: a Hypothesis state machine of batches, replays and conflicts."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from cairn.bootstrap import postgres as bootstrap
from cairn.drills.ledger_model import Model
from cairn.stack.secrets import password_of
from contracts.ids import TransferId
from contracts.plan import CostKind
from services.payments.books.ledger import RULES, Kind, Phase, Scope
from services.payments.store import ledger as store
from tests.services.payments.bookkeeping import AWARD, LINE, ROUND, person, scope_of, transfer
from tests.support.engines import FreshDatabase
from tests.support.templates import clone, drop, template_for

OTHER_AWARD = f"{AWARD}-2"
ROWS = (LINE, ROUND, AWARD, OTHER_AWARD, person("ann"))
SCOPES = [scope_of(), scope_of("ann"), scope_of(award=OTHER_AWARD), scope_of(award="award/nobody")]
MOVES = [kind for kind, one in RULES.items() if one.from_pending]
cents = st.integers(1, 300)


class Books(RuleBasedStateMachine):
    """Every batch is posted to both; codes and balances must be the same."""

    dsn = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.connection = self.loop.run_until_complete(self._connect())
        self.model = Model()
        self.names: list[str] = []

    async def _connect(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self.dsn, server_settings={"search_path": "payments"})
        await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)
        # Every run begins with empty books; the rollback at its end leaves them empty.
        await connection.execute("BEGIN")
        return connection

    def teardown(self) -> None:
        self.loop.run_until_complete(self.connection.close())
        self.loop.close()

    def agree(self, *transfers) -> None:
        posted = self.loop.run_until_complete(store.post(self.connection, transfers))
        assert [one.code for one in posted] == self.model.post(transfers)

    def new_name(self) -> str:
        self.names.append(f"transfer {len(self.names)}")
        return self.names[-1]

    @rule(row=st.sampled_from(ROWS), cents=st.integers(100, 1_000))
    def appropriate(self, row, cents):
        scope = Scope(LINE, **{row.split("/", 1)[0]: row})
        self.agree(transfer(self.new_name(), Kind.APPROPRIATE, cents, scope=scope))

    @rule(row=st.sampled_from(ROWS), cents=cents)
    def withdraw(self, row, cents):
        scope = Scope(LINE, **{row.split("/", 1)[0]: row})
        self.agree(transfer(self.new_name(), Kind.WITHDRAW_APPROPRIATION, cents, scope=scope))

    @rule(asked=st.lists(st.tuples(st.sampled_from(SCOPES), cents), min_size=1, max_size=6))
    def hold(self, asked):
        self.agree(*(transfer(self.new_name(), Kind.HOLD, amount, scope=scope) for scope, amount in asked))

    @rule(which=st.integers(0), amount=cents, kind=st.sampled_from([Kind.CARRY_IN, Kind.HOLD]), both=st.booleans())
    def link(self, which, amount, kind, both):
        """Corrections of an entry, or of nothing; sometimes two in one batch."""
        known = [*self.model.accepted.values()]
        target = known[which % len(known)].id if known and which % 5 else TransferId.derive("nothing")
        links = [replace(transfer(self.new_name(), kind, amount), links_to=target) for _ in range(1 + both)]
        self.agree(*links)

    @rule(kind=st.sampled_from(CostKind), which=st.integers(0), amount=cents)
    def use_a_cost_line(self, kind, which, amount):
        """Money that is moved on keeps its cost line."""
        hold = replace(transfer(self.new_name(), Kind.HOLD, amount), cost_line=kind)
        move = replace(
            transfer(self.new_name(), Kind.ENCUMBER, amount, pending=hold.id),
            cost_line=kind if which % 2 else CostKind.TUITION,
        )
        self.agree(hold, move)

    @precondition(lambda self: len(self.names) > 30)
    @rule(phase=st.sampled_from(Phase))
    def close(self, phase):
        self.agree_to_close(LINE, phase)

    @precondition(lambda self: len(self.names) > 50 and LINE in self.model.rows)
    @rule()
    def wind_up(self):
        """All that is promised in the line goes back, and what is available is withdrawn: its books can be shut."""
        self.agree_to_close(LINE, Phase.SOFT_CLOSED)
        self.agree_to_close(LINE, Phase.HARD_CLOSED)
        for back in (Kind.RELEASE_HOLD, Kind.LIQUIDATE):
            self.agree(
                *(
                    replace(
                        transfer(self.new_name(), back, self.model.left[one.id], pending=one.id),
                        scope=one.scope,
                        cost_line=one.cost_line,
                    )
                    for one in [*self.model.accepted.values()]
                    if RULES[one.kind].credit is RULES[back].debit and self.model.left[one.id]
                )
            )
        left = self.model.rows[LINE]["available"]
        if left:
            self.agree(transfer(self.new_name(), Kind.WITHDRAW_APPROPRIATION, left, scope=Scope(LINE, line=LINE)))
        self.agree_to_close(LINE, Phase.HARD_CLOSED)

    def agree_to_close(self, line, phase):
        answer = self.loop.run_until_complete(store.close_line(self.connection, line, phase))
        assert answer == self.model.close(line, phase)

    @rule(kind=st.sampled_from(MOVES), which=st.integers(0), cents=cents)
    def move_anything(self, kind, which, cents):
        known = [*self.model.accepted.values()]
        before = known[which % len(known)] if known else None
        scope = before.scope if before else SCOPES[0]
        pending = before.id if before else TransferId.derive("nothing")
        self.agree(transfer(self.new_name(), kind, cents, scope=scope, pending=pending))

    @rule(which=st.integers(0), part=st.integers(1, 3), both=st.booleans())
    def move_what_may_move(self, which, part, both):
        """A legal next move of some transfer, and sometimes a second one in the same batch."""
        open_ = [t for t in self.model.accepted.values() if self.model.left[t.id] and _next(t.kind)]
        if not open_:
            return
        before = open_[which % len(open_)]
        kinds = _next(before.kind)
        left = self.model.left[before.id]
        amount = max(1, left // part)
        moves = [transfer(self.new_name(), kinds[which % len(kinds)], amount, scope=before.scope, pending=before.id)]
        if both:
            moves.append(transfer(self.new_name(), kinds[-1], amount, scope=before.scope, pending=before.id))
        self.agree(*moves)

    @rule(asked=st.lists(cents, min_size=2, max_size=4), which=st.integers(0))
    def hold_and_move_on_at_once(self, asked, which):
        """Later transfers of a batch stand on earlier ones of the same batch."""
        batch = []
        for amount in asked:
            hold = transfer(self.new_name(), Kind.HOLD, amount)
            batch += [hold, transfer(self.new_name(), Kind.ENCUMBER, max(1, amount - which % 3), pending=hold.id)]
        self.agree(*batch)

    @rule(amount=cents, ends=st.sampled_from([Kind.RECOVER, Kind.RETURN_LATE, None]), more=st.integers(0, 1))
    def pay(self, amount, ends, more):
        """A case's money from its hold to its payment in one batch, and back: what comes back may be too much."""
        kinds = [Kind.HOLD, Kind.ENCUMBER, Kind.EXPEND, Kind.SEND, Kind.SETTLE, *([ends] if ends else [])]
        batch = []
        for kind in kinds:
            pending = batch[-1].id if batch else None
            batch.append(transfer(self.new_name(), kind, amount + (more if kind is ends else 0), pending=pending))
        self.agree(*batch)

    @rule(which=st.integers(0), amount=cents)
    def ask_again(self, which, amount):
        if not self.names:
            return
        name = self.names[which % len(self.names)]
        again = transfer(name, Kind.HOLD, amount)
        self.agree(again, again)

    @invariant()
    def same_balances(self):
        rows = self.loop.run_until_complete(store.balances(self.connection, [*self.model.rows]))
        assert {name: dict(row.stages) for name, row in rows.items()} == self.model.rows
        assert all(sum(row.stages.values()) == row.appropriated_cents for row in rows.values())

    @invariant()
    def proven(self):
        assert self.loop.run_until_complete(store.prove(self.connection)).is_right


def _next(kind: Kind) -> list[Kind]:
    return [one for one in MOVES if RULES[one].debit is RULES[kind].credit]


# The machine drives a loop of its own, so neither fixture nor test is a coroutine.
@pytest.fixture
def machine_dsn(postgres: str, postgres_home) -> Iterator[str]:
    passwords = {role: password_of(postgres_home, role) for role in bootstrap.SERVICE_ROLES}
    wanted = tuple(schema for schema in bootstrap.SCHEMAS if schema in {"payments", "vault", "access"})

    async def make() -> str:
        return await clone(postgres, await template_for(postgres, wanted, passwords))

    name = asyncio.run(make())
    yield FreshDatabase(name, postgres_home).dsn("cairn_payments")
    asyncio.run(drop(postgres, name))


def test_the_posting_function_agrees_with_the_model(machine_dsn):
    machine = type("Machine", (Books,), {"dsn": machine_dsn})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=100,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            print_blob=True,
            # Each shrinking step is a run against the server: what failed is short enough to read.
            phases=[Stage.explicit, Stage.reuse, Stage.generate],
        ),
    )
