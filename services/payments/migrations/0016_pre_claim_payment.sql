-- Between the approved claim and its payment: was the person charged, is the money due, was part of it paid ahead.
INSERT INTO posting_rule (kind, debit, credit, from_pending, when_soft_closed, when_hard_closed) VALUES
    ('offset', 'payable', 'disbursed', true, true, true);

ALTER TABLE disbursement
    DROP CONSTRAINT disbursement_state_check,
    ADD CONSTRAINT disbursement_state_check CHECK (
        state IN ('ordered', 'batched', 'sent', 'settled', 'returned', 'repaired', 'stopped')
    );

-- The person's own word, once.
CREATE TABLE charge_word (
    application_id text COLLATE "C" PRIMARY KEY,
    charged boolean NOT NULL,
    amount_cents bigint,
    answered_at timestamptz NOT NULL
);
CREATE TABLE charge_question (
    claim_id text COLLATE "C" PRIMARY KEY REFERENCES claim,
    application_id text COLLATE "C" NOT NULL,
    asked_at timestamptz NOT NULL,
    answer_by timestamptz NOT NULL,
    answer text CHECK (answer IN ('not_charged', 'charged', 'none_in_time')),
    closed_at timestamptz,
    CHECK ((answer IS NULL) = (closed_at IS NULL))
);
CREATE INDEX charge_question_open ON charge_question (answer_by) WHERE answer IS NULL;
CREATE INDEX charge_question_of ON charge_question (application_id);

-- Whether money may move on an approved claim now: no open question about charges, and its month has come.
CREATE FUNCTION claim_may_be_paid(wanted text, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT c.status = 'approved'
        AND coalesce(c.payable_from <= at, true)
        AND NOT EXISTS (SELECT FROM charge_question AS q WHERE q.claim_id = c.claim_id AND q.answer IS NULL)
    FROM claim AS c WHERE c.claim_id = wanted
$$;

-- When each claim came, from the fact itself: a claim that nobody looks at has no other trace here.
CREATE TABLE claim_receipt (
    claim_id text COLLATE "C" PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    provider_id text NOT NULL,
    received_at timestamptz NOT NULL,
    escalated_at timestamptz
);
CREATE INDEX claim_receipt_waiting ON claim_receipt (received_at) WHERE escalated_at IS NULL;

-- Interest on late payments is the agency's own obligation, not the program's money: it is kept beside the ledger.
CREATE TABLE interest_obligation (
    disbursement_id text COLLATE "C" PRIMARY KEY REFERENCES disbursement,
    claim_id text COLLATE "C" NOT NULL REFERENCES claim,
    provider_id text NOT NULL,
    unpaid_cents bigint NOT NULL CHECK (unpaid_cents > 0),
    first_on date NOT NULL,
    last_on date NOT NULL,
    days integer NOT NULL CHECK (days > 0),
    cents bigint NOT NULL CHECK (cents >= 0),
    recorded_at timestamptz NOT NULL,
    CHECK (last_on - first_on + 1 = days)
);

-- Advances: part of an encumbrance that is paid ahead, as a claim of its own kind.
ALTER TABLE funding
    ADD COLUMN advanced_cents bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT advance_within_encumbrance CHECK (advanced_cents BETWEEN 0 AND encumbered_cents);

-- What a provider owes back of its advances; agreed by two people, then netted against its next payments.
CREATE TABLE provider_refund (
    refund_id text COLLATE "C" PRIMARY KEY,
    program_id text NOT NULL,
    round_id text NOT NULL,
    provider_id text NOT NULL,
    earned integer NOT NULL CHECK (earned >= 0),
    decided integer NOT NULL CHECK (decided > 0),
    cents bigint NOT NULL CHECK (cents > 0),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by)
);
CREATE INDEX provider_refund_of ON provider_refund (provider_id);
CREATE TABLE refund_part (
    refund_id text NOT NULL REFERENCES provider_refund,
    claim_id text COLLATE "C" NOT NULL UNIQUE REFERENCES claim,
    settle_transfer_id text NOT NULL,
    cents bigint NOT NULL CHECK (cents > 0),
    netted_cents bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (refund_id, claim_id),
    CONSTRAINT netted_within_refund CHECK (netted_cents BETWEEN 0 AND cents)
);
COMMENT ON COLUMN refund_part.claim_id IS 'The advance; each is owed back once';
