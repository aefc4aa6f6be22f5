"""The nightly proof: the books refold themselves once a day, and raise their hand where they are not right."""

import asyncio
from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge

from kit.db import Database
from kit.telemetry import logger
from services.payments.books.ledger import Proof
from services.payments.store import ledger as ledger_store
from services.payments.usecases.proof import PROOF_SECONDS_MAX, PROOF_SETTINGS

EVERY = timedelta(days=1)

RIGHT = Gauge("cairn_ledger_right", "1 where the last proof found the books right, 0 where it did not.")
ENTRIES = Gauge("cairn_ledger_entries", "Entries in the journal at the last proof.")
PROVEN_AT = Gauge("cairn_ledger_proven_timestamp_seconds", "When the books were last proven.")
FAULTS = Counter("cairn_ledger_faults_total", "Faults that proofs found: differences, overdrawn and repeated entries.")

_log = logger(__name__)


async def prove_nightly(*, db: Database, now: datetime) -> Proof | None:
    """Prove the books unless somebody did within a day; None where it is not due. What was found is kept and told.

    Bounded in time. One process proves at a time, whichever comes first.
    """
    async with db.transaction(local=PROOF_SETTINGS) as tx:
        if not await ledger_store.claim_proof(tx, now - EVERY):
            return None
        async with asyncio.timeout(PROOF_SECONDS_MAX):
            proof = await ledger_store.prove(tx, timeout=PROOF_SECONDS_MAX)
        await ledger_store.keep_proof(tx, proof, now)
    RIGHT.set(proof.is_right)
    ENTRIES.set(proof.entries)
    PROVEN_AT.set(now.timestamp())
    if proof.is_right:
        _log.info("ledger.proven", entries=proof.entries, rows=proof.rows)
    else:
        FAULTS.inc(len(proof.faults))
        _log.critical("ledger.not_right", entries=proof.entries, faults=len(proof.faults), first=str(proof.faults[0]))
    return proof
