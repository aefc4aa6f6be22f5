-- Two rails: the payment-voucher interface and ACH. A file's content, letter and entries are fixed when it is approved.
ALTER TABLE payment_batch
    ADD COLUMN rail text NOT NULL DEFAULT 'payment_voucher' CHECK (rail IN ('payment_voucher', 'ach')),
    ADD COLUMN prenotes integer NOT NULL DEFAULT 0 CHECK (prenotes >= 0),
    ADD COLUMN effective_on date,
    ADD COLUMN destination text,
    ADD COLUMN file_on date,
    ADD COLUMN id_modifier text CHECK (id_modifier ~ '^[A-Z0-9]$'),
    ADD COLUMN letter text,
    ADD COLUMN transmission_token text,
    ADD COLUMN withdrawn_by text,
    DROP CONSTRAINT payment_batch_payments_check,
    DROP CONSTRAINT payment_batch_total_cents_check,
    DROP CONSTRAINT payment_batch_state_check,
    DROP CONSTRAINT payment_batch_check,
    ADD CONSTRAINT payment_batch_state_check CHECK (
        state IN ('built', 'approved', 'transmitted', 'acknowledged', 'withdrawn')
    ),
    ADD CONSTRAINT payment_batch_holds_something CHECK (payments >= 0 AND payments + prenotes > 0),
    ADD CONSTRAINT payment_batch_total_cents_check CHECK (total_cents >= 0),
    ADD CONSTRAINT content_once_approved CHECK ((state IN ('built', 'withdrawn')) = (content IS NULL)),
    ADD CONSTRAINT approved_by_somebody CHECK (content IS NULL OR checked_by IS NOT NULL);
COMMENT ON COLUMN payment_batch.transmission_token IS 'Names the staged file that alone may go out for this batch';
CREATE INDEX payment_batch_unanswered ON payment_batch (transmitted_at) WHERE state = 'transmitted';
CREATE UNIQUE INDEX payment_batch_file_id ON payment_batch (destination, file_on, id_modifier)
    WHERE id_modifier IS NOT NULL;

CREATE FUNCTION payment_batch_is_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.content IS NOT NULL AND (
        NEW.content IS DISTINCT FROM OLD.content OR NEW.content_sha256 IS DISTINCT FROM OLD.content_sha256
        OR NEW.file_name IS DISTINCT FROM OLD.file_name OR NEW.letter IS DISTINCT FROM OLD.letter
        OR NEW.checked_by IS DISTINCT FROM OLD.checked_by OR NEW.made_by IS DISTINCT FROM OLD.made_by
        OR NEW.total_cents IS DISTINCT FROM OLD.total_cents OR NEW.payments IS DISTINCT FROM OLD.payments
    ) THEN
        RAISE EXCEPTION 'an approved file is never rebuilt: batch %', OLD.batch_id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.transmission_token IS NOT NULL AND NEW.transmission_token IS DISTINCT FROM OLD.transmission_token THEN
        RAISE EXCEPTION 'a file is transmitted once: batch %', OLD.batch_id USING ERRCODE = 'check_violation';
    END IF;
    IF (OLD.state IN ('transmitted', 'acknowledged') AND NEW.state NOT IN ('transmitted', 'acknowledged'))
        OR (OLD.state = 'withdrawn' AND NEW.state <> 'withdrawn')
        OR (OLD.state = 'approved' AND NEW.state NOT IN ('approved', 'transmitted')) THEN
        RAISE EXCEPTION 'batch % does not go back from % to %', OLD.batch_id, OLD.state, NEW.state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER payment_batch_final BEFORE UPDATE ON payment_batch
    FOR EACH ROW EXECUTE FUNCTION payment_batch_is_final();

-- What stands in a file: payments, each in one file for ever, and the prenotes of accounts.
CREATE TABLE payment_entry (
    batch_id text NOT NULL REFERENCES payment_batch,
    place integer NOT NULL CHECK (place > 0),
    disbursement_id text UNIQUE REFERENCES disbursement,
    account_id text REFERENCES payee_account,
    trace text CHECK (trace ~ '^[0-9]{15}$'),
    company_id text,
    amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
    effective_on date,
    acknowledged_at timestamptz,
    PRIMARY KEY (batch_id, place),
    CHECK (disbursement_id IS NOT NULL OR account_id IS NOT NULL),
    CHECK ((disbursement_id IS NULL) = (amount_cents = 0))
);
-- Seven digits run out after ten million entries: the day tells the same trace apart.
CREATE UNIQUE INDEX payment_entry_trace ON payment_entry (trace, effective_on) WHERE trace IS NOT NULL;

CREATE TABLE trace_sequence (
    odfi text PRIMARY KEY,
    last_number integer NOT NULL CHECK (last_number BETWEEN 0 AND 9999999)
);
CREATE TABLE file_id_sequence (
    destination text NOT NULL,
    file_on date NOT NULL,
    last_number integer NOT NULL CONSTRAINT thirty_six_files_a_day CHECK (last_number BETWEEN 1 AND 36),
    PRIMARY KEY (destination, file_on)
);

ALTER TABLE disbursement
    ADD COLUMN settle_transfer_id text,
    ADD COLUMN settlement_evidence text;
UPDATE disbursement AS d SET settle_transfer_id = t.id, settlement_evidence = concat('payment number ', d.payment_number)
FROM transfer AS t WHERE d.state = 'settled' AND t.kind = 'settle' AND t.outcome = 'ok' AND t.pending_id = d.sent_transfer_id;
ALTER TABLE disbursement
    ADD CONSTRAINT settled_on_evidence CHECK (
        state <> 'settled' OR (settle_transfer_id IS NOT NULL AND settlement_evidence <> '')
    ),
    ADD CONSTRAINT sent_after_posting CHECK (state NOT IN ('sent', 'settled') OR sent_transfer_id IS NOT NULL);
