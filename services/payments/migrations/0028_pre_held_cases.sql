-- A case that program staff hold is not paid meanwhile: the last word of staff on each case that was ever held.
CREATE TABLE held_case (
    application_id text COLLATE "C" PRIMARY KEY,
    is_held boolean NOT NULL,
    act_sequence bigint NOT NULL,
    acted_at timestamptz NOT NULL
);
COMMENT ON COLUMN held_case.act_sequence IS 'Of the fact at its source: an older one changes nothing';

CREATE OR REPLACE FUNCTION claim_may_be_paid(wanted text, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT c.status = 'approved'
        AND coalesce(c.payable_from <= at, true)
        AND NOT EXISTS (SELECT FROM charge_question AS q WHERE q.claim_id = c.claim_id AND q.answer IS NULL)
        AND NOT EXISTS (
            SELECT FROM claim_review AS r
            WHERE r.claim_id = c.claim_id AND r.origin = 'charge' AND r.decision IS DISTINCT FROM 'approved'
        )
        AND NOT EXISTS (SELECT FROM held_case AS h WHERE h.application_id = c.application_id AND h.is_held)
    FROM claim AS c WHERE c.claim_id = wanted
$$;
