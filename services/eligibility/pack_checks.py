"""What must agree between the entries of a pack. Each check yields every fault it finds; none stops the others."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.program import (
    Advance,
    Approvals,
    Award,
    CourseRun,
    Credential,
    Failure,
    GateWay,
    Issuer,
    Pack,
    ParticipantCharge,
    PayeeGate,
    PayeeType,
    PaymentMilestone,
    PovertyGuideline,
    Program,
    Provider,
    Round,
    Stack,
)
from services.eligibility.rules import CRITERIA


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a pack."""

    file: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.reason}" if self.key else f"{self.file}: {self.reason}"


@dataclass(slots=True)
class PackParts:
    """The entries that are valid by themselves, and the label of every entry, valid or not."""

    program: Program | None = None
    rules: dict[str, Any] = field(default_factory=dict[str, Any])
    """The keys of `program.toml` that are valid by themselves: one bad key must not hide what is wrong elsewhere."""
    rounds: list[Round] = field(default_factory=list[Round])
    poverty_guidelines: list[PovertyGuideline] = field(default_factory=list[PovertyGuideline])
    credentials: list[Credential] = field(default_factory=list[Credential])
    stacks: list[Stack] = field(default_factory=list[Stack])
    course_runs: list[CourseRun] = field(default_factory=list[CourseRun])
    providers: list[Provider] = field(default_factory=list[Provider])
    issuers: list[Issuer] = field(default_factory=list[Issuer])
    awards: list[Award] = field(default_factory=list[Award])
    labels: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))

    def add(self, key: str, entry: BaseModel) -> None:
        getattr(self, key).append(entry)

    def named(self, key: str) -> set[str]:
        return self.labels[key]

    def lists(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Pack.model_fields if name != "program"}


def check(parts: PackParts) -> list[Fault]:
    """Every disagreement between the entries."""
    return [fault for one in CHECKS for fault in one(parts)]


def _missing(parts: PackParts, key: str, names: Iterable[str]) -> Iterator[str]:
    yield from (name for name in names if name not in parts.named(key))


def each_id_names_one_entry(parts: PackParts) -> Iterator[Fault]:
    files = {"rounds": "rounds.toml", "credentials": "credentials.toml", "stacks": "credentials.toml"}
    files |= {"course_runs": "credentials.toml", "providers": "providers.toml", "issuers": "providers.toml"}
    for key, file in files.items():
        counted = Counter(entry.id for entry in getattr(parts, key))
        for name, times in counted.items():
            if times > 1:
                yield Fault(file, f"{key}[{name}].id", f"{times} entries have this id")
    for (round_id, provider_id), times in Counter((a.round_id, a.provider_id) for a in parts.awards).items():
        if times > 1:
            yield Fault(
                "providers.toml", f"awards[{round_id}/{provider_id}]", f"{times} awards of one provider in one round"
            )


def each_criterion_is_cited(parts: PackParts) -> Iterator[Fault]:
    citations: dict[str, str] | None = parts.rules.get("citations")
    if citations is None:
        return
    names = {criterion.__name__ for criterion in CRITERIA}
    for name in sorted(names - citations.keys()):
        yield Fault("program.toml", f"citations.{name}", "this criterion has no citation")
    for name in sorted(citations.keys() - names):
        yield Fault("program.toml", f"citations.{name}", "there is no such criterion")


def approvals_go_up(parts: PackParts) -> Iterator[Fault]:
    approvals: Approvals | None = parts.rules.get("approvals")
    amounts = [level.up_to_cents for level in approvals.levels] if approvals else []
    if amounts != sorted(set(amounts)):
        yield Fault("program.toml", "approvals.levels", "must go up by up_to_cents")


def payments_add_up(parts: PackParts) -> Iterator[Fault]:
    milestones: list[PaymentMilestone] = parts.rules.get("milestones", [])
    charge: ParticipantCharge | None = parts.rules.get("participant_charge")
    failure: Failure | None = parts.rules.get("failure")
    shares = sum((Fraction(m.share) for m in milestones if m.share), Fraction(0))
    if shares > 1:
        yield Fault("program.toml", "milestones", "the shares add up to more than the price")
    events = [milestone.event for milestone in milestones]
    if len(set(events)) != len(events):
        yield Fault("program.toml", "milestones", "two milestones have the same event")
    if failure and events and failure.owes is not None and failure.owes not in events:
        yield Fault("program.toml", "failure.owes", f"no milestone has the event {failure.owes}")
    if charge and not charge.allowed and any(m.payer == "participant" for m in milestones):
        yield Fault("program.toml", "participant_charge.allowed", "is false, but the participant pays a milestone")


def rounds_agree_with_the_calendar(parts: PackParts) -> Iterator[Fault]:
    start, zone = parts.rules.get("fiscal_year_start"), parts.rules.get("time_zone")
    for entry in parts.rounds:
        where = f"rounds[{entry.id}]"
        opens = entry.provider_window.opens
        if opens is not None and start is not None and zone is not None:
            month, day = (int(part) for part in start.split("-"))
            local = opens.astimezone(ZoneInfo(zone)).date()
            year = local.year + ((local.month, local.day) >= (month, day) != (1, 1))
            if year != entry.fiscal_year:
                yield Fault("rounds.toml", f"{where}.fiscal_year", f"provider_window opens in fiscal year {year}")
        if entry.renewal and entry.renewal.reference_round:
            for name in _missing(parts, "rounds", [entry.renewal.reference_round]):
                yield Fault("rounds.toml", f"{where}.renewal.reference_round", f"there is no round {name}")


def income_tests_have_a_guideline(parts: PackParts) -> Iterator[Fault]:
    years = [row.year for row in parts.poverty_guidelines]
    dates = [row.effective_from for row in parts.poverty_guidelines]
    if len(set(years)) != len(years) or len(set(dates)) != len(dates):
        yield Fault("poverty_guidelines.toml", "poverty_guidelines", "two rows have the same year or date")
    for entry in parts.rounds:
        opens = entry.people_window.opens
        if GateWay.LOW_INCOME not in entry.person_gate.any_of or opens is None or "time_zone" not in parts.rules:
            continue
        if not any(day <= opens.astimezone(ZoneInfo(parts.rules["time_zone"])).date() for day in dates):
            reason = "no poverty guideline is in effect when the round opens to people"
            yield Fault("rounds.toml", f"rounds[{entry.id}].people_window.opens", reason)


def credentials_hold_together(parts: PackParts) -> Iterator[Fault]:
    for entry in parts.credentials:
        where = f"credentials[{entry.id}]"
        kinds = [line.kind for line in entry.cost_lines]
        if len(set(kinds)) != len(kinds):
            yield Fault("credentials.toml", f"{where}.cost_lines", "two lines have the same kind")
        for key, names in (("providers", entry.offered_by), ("issuers", entry.issuers), ("stacks", entry.stack_of)):
            label = {"providers": "offered_by", "issuers": "issuers", "stacks": "stack_of"}[key]
            for name in _missing(parts, key, names):
                file = "credentials.toml"
                yield Fault(file, f"{where}.{label}", f"there is no {key.removesuffix('s')} {name}")
        codes = [milestone.code for milestone in entry.milestones]
        if len(set(codes)) != len(codes):
            yield Fault("credentials.toml", f"{where}.milestones", "two milestones have the same code")
        if entry.competencies and entry.assessment is None:
            yield Fault("credentials.toml", f"{where}.assessment", "competencies need somebody who assesses them")


def stacks_hold(parts: PackParts) -> Iterator[Fault]:
    counted = Counter(name for entry in parts.credentials for name in entry.stack_of)
    for entry in parts.stacks:
        where = f"stacks[{entry.id}]"
        if entry.awarded_by not in parts.named("providers") | parts.named("issuers"):
            yield Fault("credentials.toml", f"{where}.awarded_by", f"there is no provider or issuer {entry.awarded_by}")
        if entry.parts_needed and entry.parts_needed > counted[entry.id]:
            yield Fault(
                "credentials.toml", f"{where}.parts_needed", f"only {counted[entry.id]} credentials count toward it"
            )


def course_runs_belong(parts: PackParts) -> Iterator[Fault]:
    offered = {entry.id: entry.offered_by for entry in parts.credentials}
    for run in parts.course_runs:
        where = f"course_runs[{run.id}]"
        for name in _missing(parts, "credentials", [run.credential_id]):
            yield Fault("credentials.toml", f"{where}.credential_id", f"there is no credential {name}")
        if run.credential_id in offered and run.provider_id not in offered[run.credential_id]:
            reason = f"{run.provider_id} does not offer {run.credential_id}"
            yield Fault("credentials.toml", f"{where}.provider_id", reason)


def providers_pass_the_gate(parts: PackParts) -> Iterator[Fault]:
    payee_types: list[PayeeType] | None = parts.rules.get("payee_types")
    gate: PayeeGate | None = parts.rules.get("payee_gate")
    advances: list[Advance] | None = parts.rules.get("advances")
    for entry in parts.providers:
        where = f"providers[{entry.id}]"
        if payee_types is not None and entry.type not in {one.code for one in payee_types}:
            yield Fault("providers.toml", f"{where}.type", f"there is no payee type {entry.type}")
        if gate is not None and not set(entry.registries) & set(gate.registries):
            yield Fault("providers.toml", f"{where}.registries", "names no registry that the program accepts")
        if entry.standing and advances is not None and entry.standing not in {one.standing for one in advances}:
            yield Fault("providers.toml", f"{where}.standing", f"the program knows no standing {entry.standing}")


def awards_fit(parts: PackParts) -> Iterator[Fault]:
    rounds = {entry.id: entry for entry in parts.rounds}
    credentials = {entry.id: entry for entry in parts.credentials}
    ceilings: Counter[str] = Counter()
    for award in parts.awards:
        where = f"awards[{award.round_id}/{award.provider_id}]"
        ceilings[award.round_id] += award.ceiling_cents
        for key, name in (("rounds", award.round_id), ("providers", award.provider_id)):
            for absent in _missing(parts, key, [name]):
                kind = key.removesuffix("s")
                yield Fault("providers.toml", f"{where}.{kind}_id", f"there is no {kind} {absent}")
        for name in award.seats:
            if name not in parts.named("credentials"):
                yield Fault("providers.toml", f"{where}.seats.{name}", "there is no such credential")
            elif name in credentials and award.provider_id not in credentials[name].offered_by:
                yield Fault("providers.toml", f"{where}.seats.{name}", f"{award.provider_id} does not offer it")
        cap = rounds[award.round_id].per_provider_cap_cents if award.round_id in rounds else None
        if cap is not None and award.ceiling_cents > cap:
            yield Fault("providers.toml", f"{where}.ceiling_cents", "is above the round's cap for one provider")
    for entry in parts.rounds:
        limit = entry.appropriation_cents
        if limit is not None and ceilings[entry.id] * 100 > limit * entry.overcommit_percent:
            yield Fault("rounds.toml", f"rounds[{entry.id}].appropriation_cents", "the awards' ceilings go beyond it")


CHECKS = (
    each_id_names_one_entry,
    each_criterion_is_cited,
    approvals_go_up,
    payments_add_up,
    rounds_agree_with_the_calendar,
    income_tests_have_a_guideline,
    credentials_hold_together,
    stacks_hold,
    course_runs_belong,
    providers_pass_the_gate,
    awards_fit,
)
