"""The bare counterpart of an accepted application: an ASGI app that inserts the same rows in one statement, unchecked.

`python -m cairn.bench.raw_asgi --port P`, the database in `BENCH_DSN`. Same server, same loop, same
pool, same number and width of rows; no validation, no key, no idempotency look-up, no encryption, no row security.
"""

import argparse
import asyncio
import json
import os
from typing import Any

import asyncpg
import uvicorn

from contracts.ids import ApplicationId

TABLES = """
CREATE SCHEMA IF NOT EXISTS bench;
CREATE TABLE IF NOT EXISTS bench.person (
    person_id text PRIMARY KEY, mac bytea NOT NULL UNIQUE, at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS bench.subject_key (
    person_id text PRIMARY KEY, wrapped bytea NOT NULL, at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS bench.value (
    person_id text, name text, ciphertext text NOT NULL, PRIMARY KEY (person_id, name));
CREATE TABLE IF NOT EXISTS bench.application (
    id text PRIMARY KEY, person_id text NOT NULL, body text NOT NULL, at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS bench.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, headers text NOT NULL,
    payload bytea NOT NULL, at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS bench.answer (key text PRIMARY KEY, body bytea NOT NULL, at timestamptz NOT NULL);
"""
INSERT = """
WITH p AS (INSERT INTO bench.person VALUES ($1, decode(md5($1), 'hex'), now())),
     k AS (INSERT INTO bench.subject_key VALUES ($1, decode(repeat(md5($1), 4), 'hex'), now())),
     v AS (INSERT INTO bench.value SELECT $1, 'field' || n, repeat('x', 80) FROM generate_series(1, 5) AS n),
     a AS (INSERT INTO bench.application VALUES ($1, $1, repeat('y', 200), now())),
     o AS (INSERT INTO bench.outbox (key, headers, payload, at) VALUES ($1, repeat('h', 500), $2, now()))
INSERT INTO bench.answer VALUES ($1, $2, now())
"""


class RawApp:
    """Reads the body, inserts, answers."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: Any = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self._pool = await asyncpg.create_pool(self._dsn, min_size=10, max_size=10)
            await self._pool.execute(TABLES)
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
        await self._pool.execute(INSERT, application_id, body)
        answer = json.dumps({"application_id": application_id}).encode()
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
