-- built → approved (content fixed) → transmitted → acknowledged once every payment has an answer.
CREATE TABLE payment_batch (
    batch_id text COLLATE "C" PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('built', 'approved', 'transmitted', 'acknowledged')),
    business_unit text NOT NULL,
    payments integer NOT NULL CHECK (payments > 0),
    total_cents bigint NOT NULL CHECK (total_cents > 0),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    file_name text,
    content bytea,
    content_sha256 bytea,
    transmitted_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CHECK ((state = 'built') = (content IS NULL)),
    CHECK (content IS NULL OR sha256(content) = content_sha256)
);
CREATE INDEX payment_batch_to_put ON payment_batch (batch_id) WHERE state = 'approved';

CREATE TABLE disbursement (
    disbursement_id text COLLATE "C" PRIMARY KEY,
    claim_id text NOT NULL REFERENCES claim,
    attempt_number integer NOT NULL,
    application_id text COLLATE "C" NOT NULL,
    provider_id text NOT NULL,
    supplier_number text NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    state text NOT NULL CHECK (state IN ('ordered', 'batched', 'sent', 'settled', 'returned', 'repaired')),
    payable_transfer_id text NOT NULL,
    sent_transfer_id text,
    batch_id text REFERENCES payment_batch,
    due_at timestamptz NOT NULL,
    ordered_at timestamptz NOT NULL,
    voucher_number text,
    payment_number text,
    paid_on text,
    return_code text,
    return_transfer_id text,
    changed_at timestamptz NOT NULL,
    UNIQUE (claim_id, attempt_number)
);
CREATE INDEX disbursement_to_batch ON disbursement (due_at, disbursement_id) WHERE state = 'ordered';
CREATE INDEX disbursement_batch ON disbursement (batch_id);
CREATE INDEX disbursement_returned ON disbursement (provider_id) WHERE state = 'returned';

CREATE TABLE confirmation_file (
    content_sha256 bytea PRIMARY KEY,
    file_name text NOT NULL,
    lines integer NOT NULL,
    applied integer NOT NULL,
    repeated integer NOT NULL,
    rejected integer NOT NULL,
    read_at timestamptz NOT NULL
);
-- Lines that could not be applied, exactly as they came. Line 0 speaks of the whole file.
CREATE TABLE confirmation_rejected (
    content_sha256 bytea NOT NULL REFERENCES confirmation_file,
    line_number integer NOT NULL,
    line bytea NOT NULL,
    reason text NOT NULL,
    explanation text NOT NULL,
    PRIMARY KEY (content_sha256, line_number, reason)
);

CREATE TABLE payee_repair (
    repair_id text PRIMARY KEY,
    provider_id text NOT NULL,
    evidence text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by)
);
CREATE UNIQUE INDEX payee_repair_open ON payee_repair (provider_id) WHERE checked_by IS NULL;
