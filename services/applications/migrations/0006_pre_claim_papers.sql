-- What a claim is for by cost line, and the documents that came with it. A claim mended by a document that was missing
-- is another claim.
ALTER TABLE claim
    ADD COLUMN lines jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN documents jsonb NOT NULL DEFAULT '[]';
DO $$
DECLARE
    same_document text;
BEGIN
    SELECT conname INTO STRICT same_document FROM pg_constraint WHERE conrelid = 'claim'::regclass AND contype = 'u';
    EXECUTE format('ALTER TABLE claim DROP CONSTRAINT %I', same_document);
END
$$;
ALTER TABLE claim ADD CONSTRAINT same_document_same_claim UNIQUE (
    enrollment_id, invoice_number, invoice_on, amount_cents, participant_charged_cents, lines, documents
);

-- The person's word on whether the provider charged; the first one stands.
CREATE TABLE charge_answer (
    application_id text PRIMARY KEY REFERENCES application,
    partner_id text NOT NULL,
    charged boolean NOT NULL,
    amount_cents bigint CHECK (amount_cents >= 0),
    answered_at timestamptz NOT NULL
);
ALTER TABLE charge_answer ENABLE ROW LEVEL SECURITY;
ALTER TABLE charge_answer FORCE ROW LEVEL SECURITY;
CREATE POLICY as_service ON charge_answer USING (current_setting('cairn.actor', true) = 'service');
CREATE POLICY as_staff ON charge_answer FOR SELECT USING (current_setting('cairn.actor', true) = 'staff');
CREATE POLICY as_partner ON charge_answer
    USING (partner_id = nullif(current_setting('cairn.partner_id', true), ''));
REVOKE UPDATE, DELETE, TRUNCATE ON charge_answer FROM cairn_applications;
