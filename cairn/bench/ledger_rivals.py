"""What the ledger's benchmark stands beside: a plain rebuild of the pgledger design; and a journal filled by sets."""

from typing import Any

from cairn.drills.books import AWARD, LINE, ROUND
from kit.db import Connection

# Accounts with a balance and a version, transfers, and two entries a transfer that carry the balance before and after.
PLAIN_LEDGER = """
CREATE TABLE plain_account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    balance numeric NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    may_be_negative boolean NOT NULL
);
CREATE TABLE plain_transfer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_account bigint NOT NULL REFERENCES plain_account,
    to_account bigint NOT NULL REFERENCES plain_account,
    amount numeric NOT NULL CHECK (amount > 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb,
    CHECK (from_account <> to_account)
);
CREATE INDEX ON plain_transfer (from_account);
CREATE INDEX ON plain_transfer (to_account);
CREATE TABLE plain_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES plain_account,
    transfer_id bigint NOT NULL REFERENCES plain_transfer,
    amount numeric NOT NULL,
    balance_before numeric NOT NULL,
    balance_after numeric NOT NULL,
    account_version bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON plain_entry (account_id);
CREATE INDEX ON plain_entry (transfer_id);
CREATE FUNCTION plain_create_transfer(source bigint, target bigint, cents numeric, about jsonb) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
    moved plain_account;
    one bigint;
    change numeric;
BEGIN
    PERFORM 1 FROM plain_account WHERE id IN (source, target) ORDER BY id FOR UPDATE;
    INSERT INTO plain_transfer (from_account, to_account, amount, metadata) VALUES (source, target, cents, about)
    RETURNING id INTO made;
    FOREACH one IN ARRAY ARRAY[source, target] LOOP
        change := CASE WHEN one = source THEN -cents ELSE cents END;
        UPDATE plain_account SET balance = balance + change, version = version + 1 WHERE id = one
        RETURNING * INTO moved;
        IF moved.balance < 0 AND NOT moved.may_be_negative THEN
            RAISE EXCEPTION 'account % would be negative', one;
        END IF;
        INSERT INTO plain_entry (account_id, transfer_id, amount, balance_before, balance_after, account_version)
        VALUES (one, made, change, moved.balance - change, moved.balance, moved.version);
    END LOOP;
    RETURN made;
END
$$;
GRANT SELECT, INSERT, UPDATE ON plain_account, plain_transfer, plain_entry TO cairn_payments;
GRANT EXECUTE ON FUNCTION plain_create_transfer TO cairn_payments;
"""
PLAIN_TRANSFER = "SELECT plain_create_transfer($1, $2, $3::bigint, jsonb_build_object('case', $4::bigint))"
_PLAIN_ACCOUNT = "INSERT INTO plain_account (name, balance, may_be_negative) VALUES ($1, $2, false) RETURNING id"

# Holds that were released again: entries without end, balances as they were. Ids are as scattered as real ones.
_FILL = """
INSERT INTO transfer (
    id, fiscal_year, outcome, kind, debit, credit, pending_id, book, line_id, round_id, award_id, amount_cents, reason,
    actor, workflow_id, occurred_at, recorded_at, fingerprint
)
SELECT CASE s.kind WHEN 'hold' THEN h.id ELSE 'trf_' || md5('released' || n) END, 2026, 'ok', s.kind, s.debit, s.credit,
    CASE s.kind WHEN 'hold' THEN NULL ELSE h.id END, $1, $1, $2, $3, 100, 'award', 'journey', 'application/' || n,
    now(), now(), sha256(n::text::bytea)
FROM generate_series($4::integer, $5::integer) AS n
CROSS JOIN LATERAL (SELECT 'trf_' || md5('held' || n) AS id) AS h
CROSS JOIN (VALUES ('hold', 'available', 'held'), ('release_hold', 'held', 'available')) AS s(kind, debit, credit)
"""
FILL_AT_ONCE = 50_000


async def plain_accounts(connection: Connection, cents: int) -> tuple[int, int]:
    """The account that pays and the one that is paid."""
    return (
        await connection.fetchval(_PLAIN_ACCOUNT, "available", cents),
        await connection.fetchval(_PLAIN_ACCOUNT, "held", 0),
    )


async def fill(owner: Any, entries: int) -> None:
    """Put `entries` into the journal, then let the server learn of them."""
    pairs = entries // 2
    for start in range(1, pairs + 1, FILL_AT_ONCE):
        await owner.execute(_FILL, LINE, ROUND, AWARD, start, min(start + FILL_AT_ONCE - 1, pairs))
    await owner.execute("VACUUM ANALYZE transfer")
    await owner.execute("CHECKPOINT")
