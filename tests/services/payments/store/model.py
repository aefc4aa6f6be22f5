"""The ledger as a page of Python: what the posting function must agree with."""

from dataclasses import dataclass, field

from services.payments.ledger import RULES, STAGES, Account, Code, Transfer

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

    def post(self, transfer: Transfer) -> Code:
        """Decide one transfer."""
        if transfer.id in self.decided:
            return Code.REPLAY if self.decided[transfer.id][0] == transfer.fingerprint else Code.CONFLICT
        code = self._judge(transfer)
        self.decided[transfer.id] = (transfer.fingerprint, code)
        if code is Code.OK:
            self._move(transfer)
        return code

    def _judge(self, transfer: Transfer) -> Code:
        rule = RULES[transfer.kind]
        if rule.from_pending:
            before = self.accepted.get(transfer.pending_id or "")
            if before is None or before.scope != transfer.scope or RULES[before.kind].credit is not rule.debit:
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
        self.left[transfer.id] = transfer.amount_cents
        if transfer.pending_id is not None:
            self.left[transfer.pending_id] -= transfer.amount_cents
        for row in transfer.scope.rows:
            stages = self.rows.setdefault(row, dict.fromkeys((stage.value for stage in STAGES), 0))
            if rule.debit is not Account.AUTHORITY:
                stages[rule.debit.value] -= transfer.amount_cents
            if rule.credit is not Account.AUTHORITY:
                stages[rule.credit.value] += transfer.amount_cents
