"""Reconciliation: the ledger's payments in transit, the entries of sent files and the bank's lines, three ways.

First by reference: trace number or disbursement id. Then by batch: one debit for all entries of a company and day. What
remains gets candidates by amount and day, for a person: nothing is matched by resemblance. Every line ends matched,
explained or open with its age. The order of the input makes no difference; carrying the result forward and reconciling
the same lines again changes nothing.
"""

from services.payments.reconciling.effects import POSTED, Effect, Evidence, effect_on, evidence_in, matched
from services.payments.reconciling.files import FileFaulty, read_entries, read_transit
from services.payments.reconciling.items import (
    BUCKETS,
    LAST_BUCKET,
    MEANINGS,
    OVERDUE_AFTER_DAYS,
    Candidate,
    Ending,
    FileEntry,
    Finding,
    ItemState,
    ItemVerdict,
    LineVerdict,
    Reconciliation,
    TransitItem,
    age,
    bucket,
)
from services.payments.reconciling.matching import carry_forward, open_lines, reconcile
from services.payments.reconciling.table import render

__all__ = [
    "BUCKETS",
    "LAST_BUCKET",
    "MEANINGS",
    "OVERDUE_AFTER_DAYS",
    "POSTED",
    "Candidate",
    "Effect",
    "Ending",
    "Evidence",
    "FileEntry",
    "FileFaulty",
    "Finding",
    "ItemState",
    "ItemVerdict",
    "LineVerdict",
    "Reconciliation",
    "TransitItem",
    "age",
    "bucket",
    "carry_forward",
    "effect_on",
    "evidence_in",
    "matched",
    "open_lines",
    "read_entries",
    "read_transit",
    "reconcile",
    "render",
]
