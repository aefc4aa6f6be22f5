"""The ledger as a page of Python: what the posting function must agree with, decision for decision."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.payments.books.ledger import RULES, STAGES, Account, Code, Phase, Transfer

_NAMES = (
    ("person", Code.OVER_PERSON),
    ("award", Code.OVER_AWARD),
    ("round", Code.OVER_ROUND),
    ("line", Code.OVER_PROGRAM),
)


@dataclass
class Model:
    """Balances by row and stage, the outcome of every id, what is left of every transfer."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    decided: dict[str, tuple[bytes, Code]] = field(default_factory=dict)
    accepted: dict[str, Transfer] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    uncorrected: dict[str, int] = field(default_factory=dict)
    phases: dict[str, Phase] = field(default_factory=dict)
    books: dict[str, str] = field(default_factory=dict)
    """The budget line that each row belongs to."""

    def post(self, batch: Sequence[Transfer]) -> list[Code]:
        """Decide a batch; what credits authority has opened its rows before the first is decided."""
        for transfer in batch:
            if RULES[transfer.kind].debit is Account.AUTHORITY:
                self._open(transfer)
        return [self._decide(transfer) for transfer in batch]

    def _decide(self, transfer: Transfer) -> Code:
        if transfer.id in self.decided:
            return Code.REPLAY if self.decided[transfer.id][0] == transfer.fingerprint else Code.CONFLICT
        code = self._judge(transfer)
        self.decided[transfer.id] = (transfer.fingerprint, code)
        if code is Code.OK:
            self._move(transfer)
        return code

    def _judge(self, transfer: Transfer) -> Code:
        code = self._judge_money(transfer)
        if code is Code.OK and transfer.links_to is not None:
            if transfer.links_to not in self.accepted:
                return Code.PENDING_NOT_FOUND
            if self.uncorrected[transfer.links_to] < transfer.amount_cents:
                return Code.ALREADY_RESOLVED
        return code

    def _judge_money(self, transfer: Transfer) -> Code:
        rule = RULES[transfer.kind]
        phase = self.phases.get(transfer.scope.book, Phase.OPEN)
        if phase is not Phase.OPEN and not (
            rule.when_soft_closed if phase is Phase.SOFT_CLOSED else rule.when_hard_closed
        ):
            return Code.CLOSED
        book = transfer.scope.book
        if transfer.scope.line not in (None, book):
            return Code.CLOSED
        if any(self.books.get(row, book) != book for row in transfer.scope.rows):
            return Code.CLOSED
        if rule.from_pending:
            before = self.accepted.get(transfer.pending_id or "")
            if before is None or RULES[before.kind].credit is not rule.debit:
                return Code.PENDING_NOT_FOUND
            if (before.scope, before.cost_line) != (transfer.scope, transfer.cost_line):
                return Code.PENDING_NOT_FOUND
            return Code.OK if self.left[before.id] >= transfer.amount_cents else Code.ALREADY_RESOLVED
        if rule.debit is not Account.AVAILABLE:
            return Code.OK
        named = [(getattr(transfer.scope, name), code) for name, code in _NAMES]
        if any(row is not None and row not in self.rows for row, _ in named):
            return Code.CLOSED
        for row, code in named:
            if row is not None and self.rows[row]["available"] < transfer.amount_cents:
                return code
        return Code.OK

    def _move(self, transfer: Transfer) -> None:
        rule = RULES[transfer.kind]
        self.accepted[transfer.id] = transfer
        self.left[transfer.id] = self.uncorrected[transfer.id] = transfer.amount_cents
        if transfer.pending_id is not None:
            self.left[transfer.pending_id] -= transfer.amount_cents
        if transfer.links_to is not None:
            self.uncorrected[transfer.links_to] -= transfer.amount_cents
        self._open(transfer)
        for row in transfer.scope.rows:
            stages = self.rows[row]
            if rule.debit is not Account.AUTHORITY:
                stages[rule.debit.value] -= transfer.amount_cents
            if rule.credit is not Account.AUTHORITY:
                stages[rule.credit.value] += transfer.amount_cents

    def _open(self, transfer: Transfer) -> None:
        for row in transfer.scope.rows:
            if row not in self.rows and (row != transfer.scope.line or row == transfer.scope.book):
                self.rows[row] = dict.fromkeys((stage.value for stage in STAGES), 0)
                self.books[row] = transfer.scope.book

    def close(self, line: str, phase: Phase) -> str:
        """The next phase of a budget line, as `close_line` answers."""
        phases = list(Phase)
        now = self.phases.get(line, Phase.OPEN)
        if line not in self.rows:
            return "unknown"
        if phase is now:
            return "ok"
        if phases.index(phase) != phases.index(now) + 1:
            return "out_of_order"
        row = self.rows[line]
        if phase is Phase.HARD_CLOSED and (row["available"], row["held"], row["encumbered"]) != (0, 0, 0):
            return "still_open"
        self.phases[line] = phase
        return "ok"
