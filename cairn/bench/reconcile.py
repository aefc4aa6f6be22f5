"""`cairn bench reconcile`: a statement with planted faults, read and reconciled, beside a nested loop."""

import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TypeVar

from cairn.bench.table import Report
from services.payments.reconciling import FileEntry, ItemState, Reconciliation, TransitItem, reconcile
from services.payments.statements import StatementFile, WrittenAccount, WrittenLine, read_bai2, write_bai2

FAULTS = 50
NAIVE_LINES = 1_000
NESTED_LINES_MAX = 10_000
ROUNDS = 3
SEED = 20260310
DAY = date(2026, 3, 10)
COMPANY = "1316402047"
BANK = "042000314"
T = TypeVar("T")


@dataclass
class World:
    """Payments, entries and the bank's lines; `planted` names each fault by reason and what it concerns."""

    items: list[TransitItem] = field(default_factory=list[TransitItem])
    entries: list[FileEntry] = field(default_factory=list[FileEntry])
    lines: list[WrittenLine] = field(default_factory=list[WrittenLine])
    planted: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def pay(self, number: int, cents: int) -> str:
        """An ordered payment; the trace of its entry."""
        trace = f"04200031{number:07d}"
        self.items.append(TransitItem(f"dsb_{number}", cents, DAY - timedelta(days=1)))
        self.entries.append(FileEntry(trace, f"dsb_{number}", COMPANY, "bat_1", DAY, cents))
        return trace

    def debit(self, cents: int, trace: str) -> str:
        return self._line("455", cents, trace)

    def credit(self, cents: int, trace: str) -> str:
        return self._line("257", cents, trace, "ACH RETURN R02 ACCOUNT CLOSED")

    def _line(self, type_code: str, cents: int, trace: str, text: str = "PROVIDER PAYMENT") -> str:
        name = f"BR{len(self.lines)}"
        self.lines.append(WrittenLine(type_code, cents, name, trace, text))
        return name


def world_of(lines: int) -> World:
    """`lines` lines, fifty faults among them, in an order that a seed decides."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    world = World()
    for number in range(FAULTS):
        PLANTS[number % len(PLANTS)](world, number)
    for number in range(FAULTS, FAULTS + lines - len(world.lines)):
        cents = chance.randrange(100_000, 350_000)
        world.debit(cents, world.pay(number, cents))
    for these in (world.items, world.entries, world.lines):
        chance.shuffle(these)
    return world


def _lost(world: World, number: int) -> None:
    world.pay(number, 900)
    world.items[-1] = replace(world.items[-1], sent_on=DAY - timedelta(days=20))
    world.planted.add(("overdue", f"dsb_{number}"))


def _debited_again(world: World, number: int) -> None:
    trace = world.pay(number, 1_000)
    world.items[-1] = replace(world.items[-1], state=ItemState.SETTLED)
    world.planted.add(("duplicate_debit", world.debit(1_000, trace)))


def _short(world: World, number: int) -> None:
    world.planted.add(("partial_payment", world.debit(900, world.pay(number, 1_000))))


def _over(world: World, number: int) -> None:
    world.planted.add(("wrong_amount", world.debit(1_100, world.pay(number, 1_000))))


def _stranger(world: World, number: int) -> None:
    world.planted.add(("unknown_payment", world.debit(50_000_000 + number, "")))


def _strange_return(world: World, number: int) -> None:
    world.planted.add(("unknown_return", world.credit(50_000_000 + number, "")))


def _returned(world: World, number: int) -> None:
    trace = world.pay(number, 1_000)
    world.debit(1_000, trace)
    world.credit(1_000, trace)
    world.planted.add(("returned", f"dsb_{number}"))


def _late(world: World, number: int) -> None:
    world.credit(1_000, world.pay(number, 1_000))
    world.items[-1] = replace(world.items[-1], state=ItemState.SETTLED)
    world.planted.add(("late_return", f"dsb_{number}"))


def _file_differs(world: World, number: int) -> None:
    world.debit(1_000, world.pay(number, 1_000))
    world.entries[-1] = replace(world.entries[-1], amount_cents=999)
    world.planted.add(("amounts_disagree", f"dsb_{number}"))


def _no_file(world: World, number: int) -> None:
    world.pay(number, 901)
    del world.entries[-1]
    world.planted.add(("not_in_file", f"dsb_{number}"))


PLANTS: tuple[Callable[[World, int], None], ...] = (
    _lost, _debited_again, _short, _over, _stranger, _strange_return, _returned, _late, _file_differs, _no_file,
)  # fmt: skip


async def measure(lines: int) -> Report:
    """Read and reconcile `lines` lines; every planted fault must be found and none invented."""
    report = Report(
        "reconcile",
        "reconciling a bank statement",
        f"A BAI2 file of {lines} lines with {FAULTS} planted faults of {len(PLANTS)} kinds, read with every control"
        " total checked and matched three ways; CPU seconds, the best of three runs, memory in a fourth. Beside it, on"
        f" {NAIVE_LINES} lines, a nested loop that compares each line with each entry by reference and amount: it knows"
        " no batches, returns, candidates or ages, and its cost grows with the square.",
    )
    world = world_of(lines)
    content = _statement(world)
    reading, file = _best(lambda: read_bai2(content))
    matching, result = _best(lambda: _reconcile(world, file))
    found = _found(file, result)
    tracemalloc.start()
    _reconcile(world, read_bai2(content))
    peak_mib = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()

    small = world_of(NAIVE_LINES)
    small_file = read_bai2(_statement(small))
    naive, _ = _best(lambda: _nested(small, small_file))
    ours, _ = _best(lambda: _reconcile(small, small_file))

    report.add("planted faults found", f"{len(found & world.planted)} of {len(world.planted)}", f"{FAULTS}")
    report.add("findings that were not planted", f"{len(found - world.planted)}", "0")
    report.add("lines that ended", f"{len(result.lines)} of {lines}", f"{lines}")
    report.add("reading", f"{reading:.2f} s ({lines / reading:,.0f} lines/s)")
    report.add("matching", f"{matching:.2f} s ({lines / matching:,.0f} lines/s)")
    report.add("peak memory of both", f"{peak_mib:.0f} MiB")
    report.add(f"matching {NAIVE_LINES} lines, Cairn", f"{ours * 1000:.0f} ms")
    report.add(f"matching {NAIVE_LINES} lines, nested loop", f"{naive * 1000:.0f} ms ({naive / ours:.1f} ×)")
    if lines <= NESTED_LINES_MAX:
        began = time.process_time()
        _nested(world, file)
        nested = time.process_time() - began
        report.add(f"matching {lines} lines, nested loop", f"{nested:.2f} s ({nested / matching:.1f} ×)")
    growth = (matching / lines) / (ours / NAIVE_LINES)
    report.add(f"a line among {lines} against one among {NAIVE_LINES}", f"{growth:.1f} ×", "about 1 ×")
    if found != world.planted:
        raise RuntimeError(f"not exactly what was planted: {sorted(found ^ world.planted)[:5]}")
    return report


def _statement(world: World) -> bytes:
    return write_bai2(BANK, "CAIRN", DAY, [WrittenAccount("0975312468", tuple(world.lines), 10**11)])


def _reconcile(world: World, file: StatementFile) -> Reconciliation:
    return reconcile(world.items, world.entries, file.lines, as_of=DAY)


def _found(file: StatementFile, result: Reconciliation) -> set[tuple[str, str]]:
    """Findings by reason, lines by the bank's reference as they were planted."""
    names = {str(line.line_id): line.bank_reference for line in file.lines}
    return {(finding.reason, names.get(finding.id, finding.id)) for finding in result.findings}


def _nested(world: World, file: StatementFile) -> int:
    """Every line against every entry."""
    matched = 0
    for line in file.lines:
        for entry in world.entries:
            if entry.trace == line.reference and entry.amount_cents == -line.amount_cents:
                matched += 1
    return matched


def _best(run: Callable[[], T]) -> tuple[float, T]:
    """The shortest of several runs in seconds, and the last one's result."""
    seconds: list[float] = []
    for _ in range(ROUNDS - 1):
        began = time.process_time()
        run()
        seconds.append(time.process_time() - began)
    began = time.process_time()
    result = run()
    return min(*seconds, time.process_time() - began), result
