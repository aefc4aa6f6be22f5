-- A lot's charge may be refused, withdrawn and made again; its payment is made by two people and ended by the bank's lines.
ALTER TABLE exam_voucher_charge
    ADD COLUMN attempt_number integer NOT NULL DEFAULT 1 CHECK (attempt_number > 0),
    ADD COLUMN state text CHECK (state IN ('refused', 'charged', 'withdrawn', 'payable', 'in_transit', 'paid')),
    ADD COLUMN refusal text,
    ADD COLUMN withdrawn_by text,
    ADD COLUMN withdrawn_at timestamptz;
UPDATE exam_voucher_charge SET state = CASE
    WHEN payment_number IS NOT NULL THEN 'paid' WHEN payable_transfer_id IS NOT NULL THEN 'payable' ELSE 'charged' END;
ALTER TABLE exam_voucher_charge
    ALTER COLUMN state SET NOT NULL,
    DROP CONSTRAINT exam_voucher_charge_pkey,
    ADD PRIMARY KEY (lot_id, attempt_number),
    ADD CONSTRAINT refused_for_a_reason CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    ADD CONSTRAINT withdrawn_by_somebody CHECK ((state = 'withdrawn') = (withdrawn_by IS NOT NULL));
CREATE UNIQUE INDEX exam_voucher_charge_standing ON exam_voucher_charge (lot_id)
    WHERE state NOT IN ('refused', 'withdrawn');

CREATE TABLE exam_voucher_payment (
    lot_id text NOT NULL,
    attempt_number integer NOT NULL,
    payment_attempt integer NOT NULL CHECK (payment_attempt > 0),
    state text NOT NULL CHECK (state IN ('proposed', 'withdrawn', 'sent', 'settled', 'returned')),
    payment_number text NOT NULL,
    payable_transfer_id text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    sent_transfer_id text,
    line_id text COLLATE "C" REFERENCES statement_line,
    ended_by text,
    PRIMARY KEY (lot_id, attempt_number, payment_attempt),
    FOREIGN KEY (lot_id, attempt_number) REFERENCES exam_voucher_charge,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CONSTRAINT sent_by_two CHECK (state IN ('proposed', 'withdrawn') OR (checked_by IS NOT NULL AND sent_transfer_id IS NOT NULL)),
    CONSTRAINT ended_by_the_bank CHECK ((state IN ('settled', 'returned')) = (line_id IS NOT NULL))
);
CREATE UNIQUE INDEX exam_voucher_payment_open ON exam_voucher_payment (lot_id) WHERE state IN ('proposed', 'sent');
REVOKE DELETE, TRUNCATE ON exam_voucher_payment FROM cairn_payments;

-- The bank's lines behind postings that no payment of a claim stands for; one posting a line.
CREATE TABLE line_posting (
    line_id text COLLATE "C" PRIMARY KEY REFERENCES statement_line,
    transfer_id text COLLATE "C" NOT NULL UNIQUE,
    posted_by text NOT NULL,
    posted_at timestamptz NOT NULL
);
REVOKE UPDATE, DELETE, TRUNCATE ON line_posting FROM cairn_payments;
