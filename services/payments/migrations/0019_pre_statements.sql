-- Bank statements: every file as it came, each account's day in it, and the lines of those that continue their account.
CREATE TABLE statement_file (
    content_sha256 bytea PRIMARY KEY,
    file_name text NOT NULL,
    form text NOT NULL CHECK (form IN ('bai2', 'camt053', 'unknown')),
    content bytea NOT NULL,
    taken_by text NOT NULL,
    taken_at timestamptz NOT NULL,
    CHECK (sha256(content) = content_sha256)
);
COMMENT ON COLUMN statement_file.content IS 'The bytes: what is held can be taken up later';

CREATE TABLE bank_statement (
    statement_id text COLLATE "C" PRIMARY KEY,
    content_sha256 bytea NOT NULL REFERENCES statement_file,
    place integer NOT NULL CHECK (place >= 0),
    form text NOT NULL,
    bank text NOT NULL,
    account text NOT NULL,
    day date NOT NULL,
    opening_cents bigint,
    closing_cents bigint,
    lines integer NOT NULL CHECK (lines >= 0),
    new_lines integer NOT NULL CHECK (new_lines BETWEEN 0 AND lines),
    state text NOT NULL CHECK (state IN ('accepted', 'held', 'dismissed')),
    reason text NOT NULL,
    explanation text NOT NULL,
    faults jsonb NOT NULL DEFAULT '[]',
    chain_number bigint UNIQUE,
    taken_at timestamptz NOT NULL,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL,
    UNIQUE (content_sha256, place),
    CONSTRAINT accepted_continues CHECK ((state = 'accepted') = (chain_number IS NOT NULL)),
    CONSTRAINT accepted_has_balances CHECK (state <> 'accepted' OR (opening_cents IS NOT NULL AND closing_cents IS NOT NULL))
);
COMMENT ON COLUMN bank_statement.place IS 'Which account of the file, from 1; 0 is what the file could not prove';
COMMENT ON COLUMN bank_statement.chain_number IS 'In which order the statements were accepted: each continues the one before';
CREATE SEQUENCE bank_statement_chain;
CREATE INDEX bank_statement_last ON bank_statement (bank, account, day DESC, chain_number DESC) WHERE state = 'accepted';
CREATE INDEX bank_statement_held ON bank_statement (day, statement_id) WHERE state = 'held';

CREATE TABLE statement_line (
    line_id text COLLATE "C" PRIMARY KEY,
    statement_id text NOT NULL REFERENCES bank_statement,
    bank text NOT NULL,
    account text NOT NULL,
    day date NOT NULL,
    value_on date,
    amount_cents bigint NOT NULL,
    bank_reference text NOT NULL,
    reference text NOT NULL,
    trace text NOT NULL,
    company_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('payment', 'return', 'other')),
    return_code text,
    description text NOT NULL,
    record integer NOT NULL,
    taken_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'matched', 'explained')),
    reason text NOT NULL DEFAULT 'not_looked_at',
    difference_cents bigint NOT NULL DEFAULT 0,
    disbursement_ids text[] NOT NULL DEFAULT '{}',
    candidates jsonb NOT NULL DEFAULT '[]',
    ended_by text,
    ended_at timestamptz,
    CONSTRAINT ended_by_somebody CHECK ((state = 'open') = (ended_by IS NULL) AND (state = 'open') = (ended_at IS NULL))
);
CREATE INDEX statement_line_open ON statement_line (day, line_id) WHERE state = 'open';
CREATE INDEX statement_line_of ON statement_line (statement_id);

-- What the bank said is not for us to change: of a line only its ending may be.
REVOKE UPDATE, DELETE, TRUNCATE ON statement_file, statement_line FROM cairn_payments;
GRANT UPDATE (state, reason, difference_cents, disbursement_ids, candidates, ended_by, ended_at) ON statement_line
    TO cairn_payments;
REVOKE DELETE, TRUNCATE ON bank_statement FROM cairn_payments;
