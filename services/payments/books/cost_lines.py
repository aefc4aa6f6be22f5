"""How the money of a case divides over the lines of its cost: a move is one entry for each line that it moves. Pure.

The first entry has the move's own id, which the business rows keep; the others' ids are derived from it and their line.
Whoever knows a move can so name all of its entries, and what each has left is the journal's word.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.ids import TransferId
from contracts.plan import CostKind, CostLine
from services.payments.books.ledger import Code, Kind, Scope, Transfer

Lines = Mapping[CostKind, int]
"""Cents by cost line."""

NOT_WHOLE: Final = "hold not whole"
"""The reason of an entry that gives back what was held for a line while another line of the same hold was refused."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move of a case's money, not yet divided."""

    whole: Transfer
    """All but the cost line: the amount is that of all lines together, and `pending_id` the id of the move before."""
    lines: Lines
    """The case's award; it says in which lines the money can be."""
    asked: Lines = field(default_factory=dict[CostKind, int])
    """What of the amount is asked for these lines, as far as they have it; the rest goes by what each line has left."""

    @property
    def id(self) -> TransferId:
        return self.whole.id


@dataclass(frozen=True, slots=True)
class Part:
    """One entry of an earlier move: its line, and what nothing has moved on of it yet."""

    line: CostKind
    cents: int


def parts_of(move: TransferId) -> list[TransferId]:
    """The ids that the entries of a move can have, whichever lines it moves."""
    return [move, *(_part_id(move, line) for line in CostKind)]


def _part_id(move: TransferId, line: CostKind) -> TransferId:
    return TransferId.derive(move, line)


def entry_ids(move: TransferId, lines: Iterable[CostKind]) -> dict[CostKind, TransferId]:
    """The ids of a move's entries for these lines: the first, in the order of `CostKind`, has the move's own."""
    wanted = set(lines)
    ordered = [line for line in CostKind if line in wanted]
    return {line: _part_id(move, line) if number else move for number, line in enumerate(ordered)}


def awarded(cost_lines: Sequence[CostLine], cents: int) -> dict[CostKind, int]:
    """An award by line: what other money leaves of each, in proportion where the award is less than that.

    Tuition where nothing is said of lines, and what the lines cannot hold of it.
    """
    open_cents: dict[CostKind, int] = dict.fromkeys(CostKind, 0)
    for line in cost_lines:
        open_cents[line.kind] += max(0, line.price_cents - line.funded_elsewhere_cents)
    shares = in_proportion(min(cents, sum(open_cents.values())), open_cents)
    shares[CostKind.TUITION] = shares.get(CostKind.TUITION, 0) + cents - sum(shares.values())
    return _filled(shares)


def in_proportion(cents: int, room: Lines) -> dict[CostKind, int]:
    """So much of each line, at most its room, in whole cents; the largest remainders get what rounding leaves.

    `cents` is at most all the room; equal remainders go by the order of `CostKind`.
    """
    total = sum(room.values())
    if not total:
        return {}
    shares = {line: cents * of // total for line, of in room.items()}
    order = list(CostKind)
    by_remainder = sorted(room, key=lambda line: (-(cents * room[line] % total), order.index(line)))
    for line in by_remainder[: cents - sum(shares.values())]:
        shares[line] += 1
    return shares


def divided(cents: int, left: Lines, asked: Lines) -> dict[CostKind, int]:
    """`cents` over the lines that have something left: what is asked first, then in proportion. Never an empty share.

    More than is left is put on one line, so that the ledger refuses it.
    """
    first = {line: min(asked.get(line, 0), of) for line, of in left.items()}
    if sum(first.values()) >= cents:
        return _filled(in_proportion(cents, first))
    room = {line: of - first[line] for line, of in left.items()}
    rest = cents - sum(first.values())
    more = in_proportion(min(rest, sum(room.values())), room)
    shares = {line: first[line] + more.get(line, 0) for line in left}
    line = min(left, key=list(CostKind).index, default=CostKind.TUITION)
    shares[line] = shares.get(line, 0) + cents - sum(shares.values())
    return _filled(shares)


def entries_of(moves: Iterable[Move], known: Mapping[TransferId, Part]) -> list[list[Transfer]]:
    """The entries of each move in turn; `known` are those of the moves before that the journal has.

    A move may go on from one before it in `moves`.
    """
    left = dict(known)
    return [_entries_of(move, left) for move in moves]


def _entries_of(move: Move, left: dict[TransferId, Part]) -> list[Transfer]:
    whole, pending = move.whole, move.whole.pending_id
    if len(move.lines) == 1:
        return [replace(whole, cost_line=line) for line in move.lines]
    sources = {left[part].line: part for part in parts_of(pending) if part in left} if pending is not None else {}
    room = {line: left[part].cents for line, part in sources.items()} if pending is not None else move.lines
    shares = divided(whole.amount_cents, room, move.asked)
    entries: list[Transfer] = []
    for line, entry_id in entry_ids(whole.id, shares).items():
        source, cents = sources.get(line, pending), shares[line]
        entries.append(replace(whole, id=entry_id, cost_line=line, amount_cents=cents, pending_id=source))
        left[entry_id] = Part(line, cents)
        if source is not None and source in left:
            left[source] = Part(line, max(0, left[source].cents - cents))
    return entries


def given_back(held: Transfer) -> Transfer:
    """The entry that gives back what was held for one line, where the hold did not become whole."""
    entry_id = TransferId.derive(Kind.RELEASE_HOLD, held.id, NOT_WHOLE)
    return replace(held, id=entry_id, kind=Kind.RELEASE_HOLD, reason=NOT_WHOLE, pending_id=held.id)


def short_of(scope: Scope, available: Mapping[str, int], cents: int) -> Code:
    """Which limit the whole amount does not fit, the person's before those that waiting can lift; `OK` if it fits."""
    limits = (
        (scope.person, Code.OVER_PERSON),
        (scope.award, Code.OVER_AWARD),
        (scope.round, Code.OVER_ROUND),
        (scope.line, Code.OVER_PROGRAM),
    )
    return next((code for row, code in limits if row is not None and available[row] < cents), Code.OK)


def _filled(shares: Lines) -> dict[CostKind, int]:
    return {line: shares[line] for line in CostKind if shares.get(line)}
