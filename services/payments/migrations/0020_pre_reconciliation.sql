-- Which line of the bank stands behind which payment, and what was posted on it.
CREATE TABLE payment_evidence (
    line_id text COLLATE "C" NOT NULL REFERENCES statement_line,
    disbursement_id text COLLATE "C" NOT NULL REFERENCES disbursement,
    effect text NOT NULL CHECK (effect IN ('settles', 'confirms', 'returns', 'returns_late', 'confirms_return')),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    transfer_id text,
    matched_by text NOT NULL,
    matched_at timestamptz NOT NULL,
    PRIMARY KEY (line_id, disbursement_id),
    CONSTRAINT posted_where_money_moves CHECK (
        (effect IN ('settles', 'returns', 'returns_late')) = (transfer_id IS NOT NULL)
    )
);
COMMENT ON COLUMN payment_evidence.amount_cents IS 'The line''s share in this payment';
CREATE INDEX payment_evidence_of ON payment_evidence (disbursement_id);

-- A payment is paid at most once and comes back at most once, and a line is not worth more than it says.
CREATE FUNCTION evidence_within_bounds() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paid boolean := NEW.effect IN ('settles', 'confirms');
    shown bigint;
BEGIN
    SELECT coalesce(sum(e.amount_cents), 0) INTO shown FROM payment_evidence AS e
    WHERE e.disbursement_id = NEW.disbursement_id AND (e.effect IN ('settles', 'confirms')) = paid;
    IF shown > (SELECT d.amount_cents FROM disbursement AS d WHERE d.disbursement_id = NEW.disbursement_id) THEN
        RAISE EXCEPTION 'the bank''s lines behind payment % are more than the payment', NEW.disbursement_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'evidence_within_payment';
    END IF;
    SELECT coalesce(sum(e.amount_cents), 0) INTO shown FROM payment_evidence AS e WHERE e.line_id = NEW.line_id;
    IF shown > (SELECT abs(l.amount_cents) FROM statement_line AS l WHERE l.line_id = NEW.line_id) THEN
        RAISE EXCEPTION 'line % stands behind more than its amount', NEW.line_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'evidence_within_line';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER payment_evidence_bounds AFTER INSERT ON payment_evidence
    FOR EACH ROW EXECUTE FUNCTION evidence_within_bounds();
CREATE FUNCTION posted_evidence_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.transfer_id IS NOT NULL THEN
        RAISE EXCEPTION 'the journal was written on line %', OLD.line_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posted_evidence_stays';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER payment_evidence_posted BEFORE DELETE ON payment_evidence
    FOR EACH ROW EXECUTE FUNCTION posted_evidence_stays();
REVOKE UPDATE, TRUNCATE ON payment_evidence FROM cairn_payments;

-- What people decided: one makes it; where money of the program is concerned, another checks it.
CREATE TABLE reconciliation_act (
    act_id text COLLATE "C" PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('explain', 'match', 'unmatch', 'accept', 'dismiss')),
    line_id text REFERENCES statement_line,
    statement_id text REFERENCES bank_statement,
    disbursement_id text REFERENCES disbursement,
    reason text NOT NULL CHECK (reason <> ''),
    needs_check boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'done', 'withdrawn')),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CONSTRAINT done_after_check CHECK (state <> 'done' OR NOT needs_check OR checked_by IS NOT NULL),
    CHECK ((line_id IS NULL) <> (statement_id IS NULL)),
    CHECK ((kind = 'match') = (disbursement_id IS NOT NULL))
);
CREATE UNIQUE INDEX reconciliation_act_line ON reconciliation_act (line_id) WHERE state = 'waiting';
CREATE UNIQUE INDEX reconciliation_act_statement ON reconciliation_act (statement_id) WHERE state = 'waiting';
REVOKE DELETE, TRUNCATE ON reconciliation_act FROM cairn_payments;
