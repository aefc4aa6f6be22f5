"""Examples for the tests of eligibility: packs of the repository, and inputs that are eligible unless changed."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from contracts.events.eligibility import Finding
from contracts.personal import Declaration, Employment, Income
from contracts.program import Pack
from services.eligibility.domain import Decided, Inputs, Matter
from services.eligibility.gateways import PackFolders
from services.eligibility.packs import LoadedPack, load, seal
from services.eligibility.rules import decide

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "programs"
TEST_PACKS = Path(__file__).parent / "packs"

SUBMITTED = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)
OHIO = Declaration(state_of_residence="OH")
POOR = Income(tax_year=2025, ohio_agi_cents=12_000_00, family_size=1)
RICH = Income(tax_year=2025, ohio_agi_cents=90_000_00, family_size=1)


@cache
def pack(name: str = "oh-imap") -> LoadedPack:
    return load(name, PackFolders(PROGRAMS if (PROGRAMS / name).is_dir() else TEST_PACKS).files)


def changed(base: Pack, **files: Any) -> Pack:
    """The pack with some of its parts replaced, by dotted path under `program` or by list name."""
    raw = base.model_dump()
    for path, value in files.items():
        target = raw
        *parents, last = path.split("__")
        for step in parents:
            target = target[int(step) if isinstance(target, list) else step]
        target[int(last) if isinstance(target, list) else last] = value
    return Pack.model_validate(raw)


def inputs(**other: Any) -> Inputs:
    """An eligible request in round 6 unless `other` says otherwise."""
    fields: dict[str, Any] = {
        "salt": "0" * 32,
        "round_id": "r6",
        "provider_id": "lorain-ccc",
        "credential_id": "lorain-coding",
        "submitted_at": SUBMITTED,
        "decided_at": other.get("submitted_at", SUBMITTED) + timedelta(seconds=1),
        "declaration": OHIO,
    }
    return Inputs.model_validate(fields | other)


def low_income_inputs(declaration: Declaration | None = None, **other: Any) -> Inputs:
    """A request in the drill pack's round with a person gate."""
    return inputs(round_id="low-income", declaration=declaration or OHIO, **other)


def matter(given: Inputs | None = None, of: Pack | None = None, name: str = "oh-imap") -> Matter:
    loaded = seal(of) if of is not None else pack(name)
    return Matter(loaded.pack, loaded.version, given or inputs())


def decided(given: Inputs | None = None, of: Pack | None = None, name: str = "oh-imap") -> Decided:
    return decide(matter(given, of, name))


def finding(decision: Decided, criterion: str) -> Finding:
    return next(one for one in decision.findings if one.criterion == criterion)


def week(ending: date, **other: Any) -> Employment:
    """A week of ordinary work: neither totally nor partially unemployed."""
    fields: dict[str, Any] = {
        "week_ending": ending,
        "services_performed": True,
        "pay_cents": 800_00,
        "separation_involuntary": False,
        "weekly_benefit_amount_cents": 400_00,
    }
    return Employment.model_validate(fields | other)
