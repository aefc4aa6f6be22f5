-- The ledger: rules of posting, balance rows, journal.

-- What each kind of transfer debits and credits. `from_pending` moves on money that an earlier transfer put there.
CREATE TABLE posting_rule (
    kind text PRIMARY KEY,
    debit text NOT NULL,
    credit text NOT NULL,
    from_pending boolean NOT NULL
);
INSERT INTO posting_rule (kind, debit, credit, from_pending) VALUES
    ('appropriate', 'authority', 'available', false),
    ('withdraw_appropriation', 'available', 'authority', false),
    ('hold', 'available', 'held', false),
    ('release_hold', 'held', 'available', true),
    ('encumber', 'held', 'encumbered', true),
    ('liquidate', 'encumbered', 'available', true),
    ('expend', 'encumbered', 'payable', true),
    ('send', 'payable', 'in_transit', true),
    ('settle', 'in_transit', 'disbursed', true),
    ('return', 'in_transit', 'payable', true),
    ('return_late', 'disbursed', 'payable', true),
    ('lapse', 'encumbered', 'lapsed', true);

-- One row per budget line (program and fiscal year), round, provider award and person.
CREATE TABLE balance (
    id text COLLATE "C" PRIMARY KEY,
    book text COLLATE "C" NOT NULL,
    level text NOT NULL CHECK (level IN ('line', 'round', 'award', 'person')),
    lock_order smallint NOT NULL GENERATED ALWAYS AS (
        CASE level WHEN 'line' THEN 0 WHEN 'round' THEN 1 WHEN 'award' THEN 2 ELSE 3 END
    ) STORED,
    appropriations integer NOT NULL DEFAULT 0,
    appropriated_cents bigint NOT NULL DEFAULT 0,
    available_cents bigint NOT NULL DEFAULT 0,
    held_cents bigint NOT NULL DEFAULT 0,
    encumbered_cents bigint NOT NULL DEFAULT 0,
    payable_cents bigint NOT NULL DEFAULT 0,
    in_transit_cents bigint NOT NULL DEFAULT 0,
    disbursed_cents bigint NOT NULL DEFAULT 0,
    lapsed_cents bigint NOT NULL DEFAULT 0,
    CONSTRAINT commitments_within_credits CHECK (available_cents >= 0),
    CONSTRAINT stages_not_negative CHECK (
        least(held_cents, encumbered_cents, payable_cents, in_transit_cents, disbursed_cents, lapsed_cents) >= 0
    ),
    CONSTRAINT stages_add_up CHECK (
        available_cents + held_cents + encumbered_cents + payable_cents + in_transit_cents + disbursed_cents
            + lapsed_cents = appropriated_cents
    )
) WITH (fillfactor = 40);
COMMENT ON COLUMN balance.book IS 'The budget line whose lock guards this row: line/<program>/<fiscal year>';
COMMENT ON COLUMN balance.appropriations IS 'How many appropriations and withdrawals it has seen; the next one is named by it';
CREATE INDEX balance_book ON balance (book);

-- The journal. Refusals are entries too, so that a retry finds the refusal.
CREATE TABLE transfer (
    id text COLLATE "C" PRIMARY KEY,
    entry bigint GENERATED ALWAYS AS IDENTITY,
    outcome text NOT NULL CHECK (outcome IN (
        'ok', 'over_program', 'over_round', 'over_award', 'over_person', 'closed', 'pending_not_found', 'already_resolved'
    )),
    kind text NOT NULL REFERENCES posting_rule,
    debit text NOT NULL,
    credit text NOT NULL,
    pending_id text COLLATE "C",
    book text COLLATE "C" NOT NULL,
    line_id text COLLATE "C",
    round_id text COLLATE "C",
    award_id text COLLATE "C",
    person_id text COLLATE "C",
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    reason text NOT NULL,
    actor text NOT NULL,
    workflow_id text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32)
);
COMMENT ON COLUMN transfer.pending_id IS 'The transfer whose money this one moves on';
CREATE INDEX transfer_pending ON transfer (pending_id) WHERE pending_id IS NOT NULL AND outcome = 'ok';
CREATE INDEX transfer_book ON transfer (book, entry);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE ON transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfer_never_emptied BEFORE TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The posting function alone writes here.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON posting_rule, balance, transfer FROM cairn_payments;
