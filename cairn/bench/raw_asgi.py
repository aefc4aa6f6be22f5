"""The bare counterpart of an accepted application: an ASGI app that inserts the same rows, and nothing else.

`python -m cairn.bench.raw_asgi --port P`, the database in `BENCH_DSN`. Same server, loop and driver; the same rows, of
the same width, in the same tables with their indexes, keys and checks, in one statement and one commit. It knows
its values beforehand: no key, no scope, no rate, no validation, no look-up, no encryption, no row-level security, no
trace, no log, no problem document.
"""

import argparse
import asyncio
import json
import os
from typing import Any

import asyncpg
import uvicorn

from contracts.ids import ApplicationId, PersonId, uuid7

CONNECTIONS = 10
NAMES = ["given_name", "family_name", "email", "birth_date", "ssn"]
CIPHERTEXTS = ["x" * 60] * len(NAMES)
HEADERS = "h" * 1000
PAYLOAD = b"p" * 1000
INSERT = """
WITH answered AS (
    INSERT INTO applications.idempotency (principal, key_digest, fingerprint, status, body)
    VALUES ('partner/raw', sha256($1::text::bytea), sha256($2::text::bytea), 201, $3)
), person AS (
    INSERT INTO applications.person (person_id, ssn_mac, admitted_at) VALUES ($2, sha256($2::text::bytea), now())
), key AS (
    INSERT INTO vault.data_subject_key (subject_id, wrapped_key, kek_version)
    VALUES ($2, sha256('1') || sha256('2'), 1)
), personal AS (
    INSERT INTO vault.personal_value (subject_id, name, sealed)
    SELECT $2, name, sealed FROM unnest($4::text[], $5::text[]) AS v (name, sealed)
), opened AS (
    INSERT INTO applications.application (
        application_id, person_id, partner_id, program_id, round_id, provider_id, credential_id, county, language,
        publish_name, submitted_at
    ) VALUES ($1, $2, 'raw', 'oh-imap', 'r6', 'lorain-ccc', 'lorain-soldering', 'lorain', 'en', false, now())
), begun AS (
    INSERT INTO applications.case_view (
        application_id, partner_id, program_id, round_id, provider_id, credential_id, submitted_at, stage
    ) VALUES ($1, 'raw', 'oh-imap', 'r6', 'lorain-ccc', 'lorain-soldering', now(), 'eligibility')
), numbered AS (
    INSERT INTO applications.outbox_sequence (source, key, last) VALUES ('/cairn/applications', $1, 1)
)
INSERT INTO applications.outbox (
    shard, key, topic, event_id, type, sequence, record_key, headers, payload, created_at
) VALUES (
    1, $1, 'cairn.applications', $6, 'cairn.applications.application.submitted.v1', 1, $1::text::bytea, $7, $8, now()
)
"""


class RawApp:
    """Reads the body, inserts, answers."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._pool = await asyncpg.create_pool(self._dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await self._pool.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        application_id = ApplicationId.new()
        answer = json.dumps({"application_id": application_id, "received": json.loads(body)["program_id"]}).encode()
        await self._pool.execute(
            INSERT, application_id, PersonId.new(), answer, NAMES, CIPHERTEXTS, uuid7(), HEADERS, PAYLOAD
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    config = uvicorn.Config(
        RawApp(os.environ["BENCH_DSN"]), host="127.0.0.1", port=given.port, log_level="warning", access_log=False
    )
    asyncio.run(uvicorn.Server(config).serve())
