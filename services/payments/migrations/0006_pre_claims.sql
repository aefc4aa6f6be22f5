CREATE TABLE claim (
    claim_id text COLLATE "C" PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    enrollment_id text NOT NULL,
    provider_id text NOT NULL,
    business_unit text NOT NULL,
    supplier_number text NOT NULL,
    invoice_number text NOT NULL,
    invoice_key text NOT NULL,
    invoice_on text NOT NULL,
    claimed_cents bigint NOT NULL CHECK (claimed_cents > 0),
    submitted_at timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN ('approved', 'returned', 'referred', 'refused')),
    approved_cents bigint NOT NULL DEFAULT 0,
    checks jsonb NOT NULL,
    approved_by text[] NOT NULL DEFAULT '{}',
    refused_by text,
    due_at timestamptz,
    payable_transfer_id text,
    decided_at timestamptz NOT NULL,
    CHECK ((status = 'approved') = (approved_cents > 0))
);
COMMENT ON COLUMN claim.invoice_key IS 'The invoice number without what people vary: case, punctuation, leading zeros';
CREATE INDEX claim_application ON claim (application_id);
CREATE INDEX claim_invoice ON claim (supplier_number, invoice_key);
-- The state finance system's duplicate rule; the last line behind the check of the same name.
CREATE UNIQUE INDEX claim_never_twice ON claim (business_unit, invoice_number, supplier_number, claimed_cents)
    WHERE status = 'approved';
CREATE UNIQUE INDEX claim_one_approved ON claim (application_id) WHERE status = 'approved';
