"""Who takes part in the demo: keys for the portal, the colleges and the finance office, issuers, exam vouchers."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from joserfc.jwk import OKPKey

from cairn.stack.layout import ROOT
from contracts.ids import ExamVoucherId
from examples.exam_vendor import lot_file, new_codes

if TYPE_CHECKING:
    from kit.settings import ProcessSettings

PACKS = ("oh-imap", "oh-imap-brisk", "oh-imap-patient")
PORTAL = "demo-portal"
EXAM_CODES_PER_LOT = 40
EXAM_VENDOR = "harbor-testing"
KEYS_EXPIRE_AFTER = timedelta(days=30)

SCOPES = {
    "partner": ("applications:write", "applications:read", "exam-vouchers:reveal"),
    "provider": ("enrollments:write", "enrollments:read", "claims:read", "webhooks:write", "webhooks:read"),
    "finance": ("payments:write", "payments:read", "budgets:read"),
    "staff": ("cases:read", "budgets:read"),
}


@dataclass(frozen=True)
class Cast:
    """The keys of everybody who takes part, and what the colleges sign with."""

    portal_key: str
    provider_keys: dict[str, str]
    maker_key: str
    checker_key: str
    staff_key: str
    issuers: dict[str, dict[str, Any]]
    exam_fees: dict[str, int]
    """What the college charges for the exam of a credential, in cents."""
    milestones: dict[str, list[str]]
    """What the college reports of a course, by credential, in order."""
    packs: tuple[dict[str, Any], ...]
    exam_lots: dict[str, list[str]]
    """What the exam vendor sold, by exam, in the order of the file."""

    def exam_codes(self) -> dict[ExamVoucherId, str]:
        """The vendor's codes by the id under which each is kept."""
        return {
            ExamVoucherId.derive(EXAM_VENDOR, f"DEMO-{exam_id}", number): code
            for exam_id, codes in self.exam_lots.items()
            for number, code in enumerate(codes, 1)
        }

    def college(self, api: str, plays: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """The college program's configuration: every provider's account, with these plays."""
        return {
            "api": api,
            "providers": [{"provider_id": p, "api_key": key} for p, key in self.provider_keys.items()],
            "issuers": self.issuers,
            "exam_fees": self.exam_fees,
            "milestones": self.milestones,
            "plays": plays,
        }


async def assemble(settings: "ProcessSettings") -> Cast:
    """Load the packs, issue the keys, register the issuers' public keys, stock the exam vouchers."""
    from services.eligibility.main import load_program
    from services.eligibility.settings import EligibilitySettings

    fields = settings.model_dump()
    packs = [await load_program(EligibilitySettings.model_validate(fields), ROOT / "programs" / p) for p in PACKS]
    catalog = read_catalog(ROOT / "programs" / "oh-imap")
    providers = sorted({run["provider_id"] for run in catalog["runs"]})
    exam_lots = await _stock_exam_vouchers(fields, catalog)
    return Cast(
        portal_key=await _key(settings, "partner", PORTAL),
        provider_keys={each: await _key(settings, "provider", each) for each in providers},
        maker_key=await _key(settings, "finance", "morgan"),
        checker_key=await _key(settings, "finance", "casey"),
        staff_key=await _key(settings, "staff", "alex"),
        issuers=await _issuers(fields, catalog),
        exam_fees=catalog["exam_fees"],
        milestones=catalog["milestones"],
        packs=tuple(packs),
        exam_lots=exam_lots,
    )


def read_catalog(folder: Path) -> dict[str, Any]:
    """What the demo needs to know of the pack: who teaches and attests what, milestones, exams, fees."""
    import tomllib

    credentials = tomllib.loads((folder / "credentials.toml").read_text())
    return {
        "runs": credentials["course_runs"],
        "issuers": {c["id"]: c["issuers"] for c in credentials["credentials"]},
        "exam_fees": {
            c["id"]: line["price_cents"]
            for c in credentials["credentials"]
            for line in c["cost_lines"]
            if line["kind"] == "exam_fee"
        },
        "milestones": {c["id"]: [m["code"] for m in c.get("milestones", [])] for c in credentials["credentials"]},
        "exams": sorted({c["exam"]["exam_id"] for c in credentials["credentials"] if "exam" in c}),
    }


async def _key(settings: "ProcessSettings", kind: str, identity: str) -> str:
    from cairn.commands.keys import issue_for

    return await issue_for(settings, kind, identity, list(SCOPES[kind]), datetime.now(UTC) + KEYS_EXPIRE_AFTER)


async def _issuers(fields: dict[str, Any], catalog: dict[str, Any]) -> dict[str, dict[str, Any]]:
    from services.applications.main import register_issuer_key
    from services.applications.settings import ApplicationsSettings

    settings = ApplicationsSettings.model_validate(fields)
    known: dict[str, dict[str, Any]] = {}
    for credential_id, issuers in catalog["issuers"].items():
        for issuer_id in issuers:
            known.setdefault(issuer_id, {"credentials": []})["credentials"].append(credential_id)
    for issuer_id, issuer in known.items():
        key = OKPKey.generate_key("Ed25519")
        issuer["kid"] = f"{issuer_id}-{secrets.token_hex(4)}"
        issuer["jwk"] = key.as_dict(private=True)
        await register_issuer_key(settings, issuer_id, issuer["kid"], key.as_dict(private=False))
    return known


async def _stock_exam_vouchers(fields: dict[str, Any], catalog: dict[str, Any]) -> dict[str, list[str]]:
    """One lot an exam, as the vendor sells it, good for a year; its codes."""
    from services.payments.main import import_exam_voucher_lot
    from services.payments.settings import PaymentsSettings

    settings = PaymentsSettings.model_validate(fields)
    lots = {exam_id: new_codes(EXAM_CODES_PER_LOT) for exam_id in catalog["exams"]}
    for exam_id, codes in lots.items():
        await import_exam_voucher_lot(
            settings,
            exam_id=exam_id,
            codes=lot_file(codes),
            expires_on=(datetime.now(UTC) + timedelta(days=365)).date(),
            expiry_zone="America/New_York",
            vendor=EXAM_VENDOR,
            order_reference=f"DEMO-{exam_id}",
            unit_cost_cents=25_000,
        )
    return lots
