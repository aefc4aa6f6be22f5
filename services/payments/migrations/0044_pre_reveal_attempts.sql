-- Every request to show a code, with its outcome: the one row of exam_voucher_reveal says only who was shown it first.
CREATE TABLE exam_voucher_reveal_attempt (
    entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exam_voucher_id text COLLATE "C" NOT NULL REFERENCES exam_voucher,
    application_id text COLLATE "C" NOT NULL,
    attempt_number integer NOT NULL,
    principal text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('shown', 'repeated', 'already_revealed', 'not_revealable', 'not_found')),
    attempted_at timestamptz NOT NULL
);
COMMENT ON COLUMN exam_voucher_reveal_attempt.outcome IS
    'repeated: the same request heard its answer again. not_found: the principal is another partner''s';
CREATE INDEX exam_voucher_reveal_attempt_of ON exam_voucher_reveal_attempt (exam_voucher_id, principal);
REVOKE UPDATE, DELETE, TRUNCATE ON exam_voucher_reveal_attempt FROM cairn_payments;
