"""Who may enter each HTTP door, read from the doors themselves, and what they may name there."""

from collections.abc import Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from cairn.documents import application
from kit.http import Caller
from tests.journeys.demo_run import DemoRun

HOLDERS = {
    "partner": "demo-portal",
    "provider": "lorain-ccc",
    "issuer": "lorain-ccc",
    "staff": "alex",
    "finance": "fuzz-officer",
}
"""Whose key of each kind is used: holders that the demo knows, so that they own something."""


def admitted() -> dict[str, dict[str, str]]:
    """Operation (`GET /v1/cases`) → kind of key → scope it needs. What anyone may read has no kind."""
    return {
        f"{method} {route.path}": {kind: caller.scope for caller in _callers(route.dependant) for kind in caller.kinds}
        for route in application().routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def scopes() -> dict[str, set[str]]:
    """Kind of key → every scope that some door asks of it."""
    asked: dict[str, set[str]] = {kind: set() for kind in HOLDERS}
    for kinds in admitted().values():
        for kind, scope in kinds.items():
            asked[kind].add(scope)
    return {kind: words for kind, words in asked.items() if words}


def _callers(dependant: Dependant) -> Iterator[Caller]:
    required = getattr(dependant.call, "required", dependant.call)
    if isinstance(required, Caller):
        yield required
    for each in dependant.dependencies:
        yield from _callers(each)


_IDS = {
    "application_id": "applications.case_view WHERE provider_id = 'lorain-ccc'",
    "enrollment_id": "applications.enrollment WHERE provider_id = 'lorain-ccc'",
    "verification_token": "applications.credential_award",
    "determination_id": "eligibility.determination",
    "claim_id": "payments.claim",
    "exam_voucher_id": "payments.exam_voucher_allocation",
    "batch_id": "payments.payment_batch",
    "repair_id": "payments.payee_repair WHERE provider_id = 'lorain-ccc'",
    "change_id": "payments.payee_change WHERE provider_id = 'lorain-ccc'",
    "hold_id": "payments.payee_hold WHERE provider_id = 'lorain-ccc'",
    "document_id": "payments.budget_document",
    "line_id": "payments.statement_line",
    "statement_id": "payments.bank_statement",
    "act_id": "payments.reconciliation_act",
    "endpoint_id": "notifications.webhook_endpoint WHERE provider_id = 'lorain-ccc'",
}


def known_ids(run: DemoRun) -> dict[str, list[Any]]:
    """Path parameter → what is there under such an id and belongs to the holders of the keys."""
    found = {name: [row[name] for row in run.rows(f"SELECT {name} FROM {where}")] for name, where in _IDS.items()}
    found |= {"program_id": ["oh-imap"], "provider_id": ["lorain-ccc"], "year": [2026, 2027]}
    return {name: sorted(set(values)) for name, values in found.items()}
