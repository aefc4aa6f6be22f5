CREATE TABLE exam_voucher_lot (
    lot_id text PRIMARY KEY,
    exam_id text NOT NULL,
    vendor text NOT NULL,
    order_number text NOT NULL,
    region text NOT NULL,
    unit_cost_cents bigint NOT NULL CHECK (unit_cost_cents >= 0),
    not_before timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    expiry_zone text NOT NULL,
    retires_at timestamptz,
    imported_by text NOT NULL,
    imported_at timestamptz NOT NULL,
    UNIQUE (vendor, order_number)
);
COMMENT ON COLUMN exam_voucher_lot.retires_at IS 'The exam is withdrawn then; overrides a later expiry';

-- Codes as ciphertext. The keyed MAC finds a code that arrives in a second lot.
CREATE TABLE exam_voucher (
    exam_voucher_id text COLLATE "C" PRIMARY KEY,
    lot_id text NOT NULL REFERENCES exam_voucher_lot,
    exam_id text NOT NULL,
    not_before timestamptz NOT NULL,
    usable_until timestamptz NOT NULL,
    sealed_code bytea NOT NULL,
    code_mac bytea NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'available' CHECK (state IN (
        'available', 'allocated', 'revealed', 'registered', 'used', 'awaiting_vendor', 'expired', 'void'
    )),
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 70);
COMMENT ON COLUMN exam_voucher.state IS 'awaiting_vendor: a person saw the code and did not use it; only the vendor can say it is unused';
CREATE INDEX exam_voucher_stock ON exam_voucher (exam_id, usable_until, exam_voucher_id) WHERE state = 'available';

CREATE TABLE exam_voucher_allocation (
    application_id text COLLATE "C" NOT NULL,
    exam_id text NOT NULL,
    attempt_number integer NOT NULL,
    exam_voucher_id text NOT NULL REFERENCES exam_voucher,
    allocated_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (application_id, exam_id, attempt_number)
);
CREATE UNIQUE INDEX exam_voucher_one_holder ON exam_voucher_allocation (exam_voucher_id) WHERE ended_at IS NULL;

-- Who was shown which code. One row a code: it is shown once, to one request.
CREATE TABLE exam_voucher_reveal (
    exam_voucher_id text NOT NULL REFERENCES exam_voucher,
    application_id text NOT NULL,
    principal text NOT NULL,
    request_key bytea NOT NULL,
    revealed_at timestamptz NOT NULL,
    PRIMARY KEY (exam_voucher_id, application_id)
);
REVOKE UPDATE, DELETE, TRUNCATE ON exam_voucher_reveal FROM cairn_payments;
