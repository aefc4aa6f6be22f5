"""The benchmark's own claim: exactly the planted faults; and a fault that nobody planted is not passed over."""

from dataclasses import replace

from cairn.bench import reconcile as bench
from services.payments.statements import read_bai2


def run(world: bench.World) -> set[tuple[str, str]]:
    file = read_bai2(bench._statement(world))
    assert file.ok
    return bench._found(file, bench._reconcile(world, file))


def test_fifty_are_planted_and_exactly_these_are_found() -> None:
    world = bench.world_of(1000)
    assert len(world.lines) == 1000
    assert len(world.planted) == bench.FAULTS
    assert run(world) == world.planted


def test_one_more_fault_is_one_more_finding() -> None:
    world = bench.world_of(1000)
    at = next(n for n, line in enumerate(world.lines) if line.type_code == "455" and line.amount_cents > 10**5)
    world.lines[at] = replace(world.lines[at], amount_cents=world.lines[at].amount_cents - 1)
    extra = run(world) - world.planted
    assert len(extra) == 1
    assert {reason for reason, _ in extra} <= {"partial_payment", "unknown_payment"}
