"""What the doors of payees take and show. An account number goes in and never comes out: people see its last four."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from contracts.texts import Code, Instant, Reference, Sentence, Slug
from services.payments.payees.payees import (
    Account,
    AccountState,
    CallBack,
    Change,
    Hold,
    HoldSource,
    Payee,
    PayeeAccountId,
    PayeeChangeId,
    PayeeHoldId,
    Rail,
    Route,
    TaxClass,
    Waits,
)
from services.payments.store.screening import PaymentAlert
from services.payments.usecases.payees import Dossier, NewAccount, Proposal

Name = Annotated[str, Field(max_length=100)]
PhoneNumber = Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()./-]{5,30}$")]
SupplierNumber = Annotated[str, Field(pattern=r"^[0-9]{10}$")]
Location = Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,20}$")]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True)


class CallBackGiven(_Given):
    """Who was called, on which number that was on file before, and when."""

    person: Annotated[str, Field(min_length=1, max_length=100)]
    number_on_file: PhoneNumber
    called_at: Instant

    def evidence(self) -> CallBack:
        return CallBack(self.person, self.number_on_file, self.called_at)


class AccountGiven(_Given):
    """A bank account as the payee stated it."""

    holder_name: Annotated[str, Field(min_length=1, max_length=22)]
    routing_number: Annotated[str, Field(pattern=r"^[0-9]{9}$")]
    account_number: SecretStr
    account_type: Literal["checking", "savings"]


class NewChange(_Given):
    """What is to change, on what evidence; what is left out stays as it is."""

    tax_class: TaxClass | None = None
    location: Location | None = None
    rail: Rail | None = None
    entry_class: Literal["CCD", "CTX", "PPD"] | None = None
    account: AccountGiven | None = None
    old_stays: bool = True
    """The old account, rail, supplier number or location goes on being paid until the new one can be used."""
    call_back: CallBackGiven
    supplier_number: SupplierNumber | None = None
    """The payee's number in the finance system."""

    def proposal(self) -> Proposal:
        given = self.account
        account = None
        if given is not None:
            number = given.account_number.get_secret_value()
            account = NewAccount(given.holder_name, given.routing_number, number, given.account_type)
        return Proposal(
            self.tax_class,
            self.location,
            self.rail,
            self.entry_class,
            account,
            self.old_stays,
            self.call_back.evidence(),
            self.supplier_number,
        )


class ReasonGiven(_Given):
    """Why, for whoever reads it later."""

    reason: Sentence


class AccountShown(_Shown):
    """An account, its number masked."""

    account_id: PayeeAccountId
    holder_name: Name
    routing_number: Annotated[str, Field(pattern=r"^[0-9]{9}$")]
    account: Annotated[str, Field(pattern=r"^\*{4}.{0,4}$")]
    account_type: Literal["checking", "savings"]
    state: AccountState
    usable_at: Instant | None
    prenote_on: date | None
    ended_reason: Annotated[str, Field(max_length=200)] | None
    correct_by: date | None = None


class ChangeShown(_Shown):
    """A change with its evidence and its people."""

    change_id: PayeeChangeId
    provider_id: Slug
    state: Code
    source: Code
    reference: Annotated[str, Field(max_length=100)]
    supplier_number: SupplierNumber | None
    tax_class: TaxClass | None
    location: str | None
    rail: Rail | None
    entry_class: str | None
    account_id: PayeeAccountId | None
    old_stays: bool
    called_person: Name | None
    called_number: Name | None
    called_at: Instant | None
    made_by: Name
    evidence_by: Name | None
    checked_by: Name | None


class HoldShown(_Shown):
    """A hold with its reason and its people."""

    hold_id: PayeeHoldId
    provider_id: Slug
    source: HoldSource
    reference: Annotated[str, Field(max_length=200)]
    reason: Annotated[str, Field(max_length=500)]
    placed_by: Name
    placed_at: Instant
    release_reason: Sentence | None
    release_made_by: Name | None
    released_by: Name | None


class PayeeListed(_Shown):
    """A payee in a list; `pays` is a rail or why nothing leaves just now."""

    provider_id: Slug
    supplier_number: Annotated[str, Field(max_length=20)]
    supplier_usable_at: Instant | None
    """When the cooling-off period of a changed supplier number ends."""
    supplier_number_before: Annotated[str, Field(max_length=20)] | None
    """Paid under until then; none where payments wait."""
    name: Annotated[str, Field(max_length=300)]
    tax_class: TaxClass
    location: str
    location_usable_at: Instant | None
    """When the cooling-off period of a changed location ends."""
    location_before: str | None
    """Paid to until then; none where payments wait."""
    rail: Rail
    entry_class: str
    pays: Rail | Waits


class PayeeShown(PayeeListed):
    """A payee with everything that decides how it is paid."""

    accounts: list[AccountShown]
    changes: list[ChangeShown]
    holds: list[HoldShown]


class PayeesShown(_Shown):
    """Every payee."""

    payees: list[PayeeListed]


class ScreeningGiven(_Given):
    """A screening list: CSV with `reference`, `name` and, where known, `supplier_number`."""

    list_name: Reference
    csv: Annotated[str, Field(min_length=1, max_length=8_000_000)]


class ScreeningShown(_Shown):
    """How many lines were taken, and whose payments are held now because of them."""

    list_name: Reference
    lines: Annotated[int, Field(ge=1)]
    held: list[Slug]


class AlertShown(_Shown):
    """What finance staff have to look at."""

    alert_id: Annotated[str, Field(max_length=40)]
    code: Code
    provider_id: Slug | None
    disbursement_id: str | None
    batch_id: str | None
    explanation: Annotated[str, Field(max_length=1000)]
    raised_at: Instant


class AlertsShown(_Shown):
    """The newest first."""

    alerts: list[AlertShown]


def account_shown(one: Account) -> AccountShown:
    return AccountShown.model_validate(
        {
            "account_id": one.account_id,
            "holder_name": one.holder_name,
            "routing_number": one.routing_number,
            "account": one.masked,
            "account_type": one.account_type,
            "state": one.state,
            "usable_at": one.usable_at,
            "prenote_on": one.prenote_on,
            "ended_reason": one.ended_reason,
            "correct_by": one.correct_by,
        }
    )


def change_shown(one: Change) -> ChangeShown:
    called = one.call_back
    return ChangeShown(
        change_id=one.change_id,
        provider_id=one.provider_id,
        state=one.state,
        source=one.source,
        reference=one.reference,
        supplier_number=one.supplier_number,
        tax_class=one.tax_class,
        location=one.location,
        rail=one.rail,
        entry_class=one.entry_class,
        account_id=one.account_id,
        old_stays=one.old_stays,
        called_person=called and called.person,
        called_number=called and called.number,
        called_at=called and called.at,
        made_by=one.made_by,
        evidence_by=one.evidence_by,
        checked_by=one.checked_by,
    )


def hold_shown(one: Hold) -> HoldShown:
    return HoldShown(
        hold_id=one.hold_id,
        provider_id=one.provider_id,
        source=one.source,
        reference=one.reference,
        reason=one.reason,
        placed_by=one.placed_by,
        placed_at=one.placed_at,
        release_reason=one.release_reason,
        release_made_by=one.release_made_by,
        released_by=one.released_by,
    )


def payee_listed(payee: Payee, way: Route | Waits) -> PayeeListed:
    return PayeeListed.model_validate(_facts(payee, way))


def payee_shown(one: Dossier) -> PayeeShown:
    return PayeeShown.model_validate(
        _facts(one.payee, one.leaves)
        | {
            "accounts": [account_shown(account) for account in one.accounts],
            "changes": [change_shown(change) for change in one.changes],
            "holds": [hold_shown(hold) for hold in one.holds],
        }
    )


def alert_shown(one: PaymentAlert) -> AlertShown:
    return AlertShown(
        alert_id=one.alert_id,
        code=one.code,
        provider_id=one.provider_id,
        disbursement_id=one.disbursement_id,
        batch_id=one.batch_id,
        explanation=one.explanation,
        raised_at=one.raised_at,
    )


def _facts(payee: Payee, way: Route | Waits) -> dict[str, object]:
    return {
        "provider_id": payee.provider_id,
        "supplier_number": payee.supplier_number,
        "supplier_usable_at": payee.supplier_usable_at,
        "supplier_number_before": payee.supplier_number_before,
        "name": payee.name,
        "tax_class": payee.tax_class,
        "location": payee.location,
        "location_usable_at": payee.location_usable_at,
        "location_before": payee.location_before,
        "rail": payee.rail,
        "entry_class": payee.entry_class,
        "pays": way.rail if isinstance(way, Route) else way,
    }
