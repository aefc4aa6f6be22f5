-- A claim that people look at because the person says "charged", or that they refused for it, is not paid meanwhile.
CREATE OR REPLACE FUNCTION claim_may_be_paid(wanted text, at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT c.status = 'approved'
        AND coalesce(c.payable_from <= at, true)
        AND NOT EXISTS (SELECT FROM charge_question AS q WHERE q.claim_id = c.claim_id AND q.answer IS NULL)
        AND NOT EXISTS (
            SELECT FROM claim_review AS r
            WHERE r.claim_id = c.claim_id AND r.origin = 'charge' AND r.decision IS DISTINCT FROM 'approved'
        )
    FROM claim AS c WHERE c.claim_id = wanted
$$;

-- What was paid for a person whom the provider charged is owed back like an advance that was not earned.
ALTER TABLE provider_refund
    ADD COLUMN reason text NOT NULL DEFAULT 'advance' CHECK (reason IN ('advance', 'person_says_charged')),
    DROP CONSTRAINT provider_refund_decided_check,
    ADD CONSTRAINT advances_are_assessed CHECK (decided > 0 OR reason <> 'advance');
-- One claim may have been paid by several entries: netted against one debt or more, and the rest in money.
ALTER TABLE refund_part
    DROP CONSTRAINT refund_part_pkey,
    DROP CONSTRAINT refund_part_claim_id_key,
    ADD PRIMARY KEY (settle_transfer_id);
CREATE INDEX refund_part_of ON refund_part (claim_id);
COMMENT ON COLUMN refund_part.claim_id IS 'The advance or claim that was paid';
COMMENT ON COLUMN refund_part.settle_transfer_id IS 'The entry that paid it; each is owed back once';
