-- A doubt that rules find after people approved: what they said stays with the review that they saw, and another begins.
ALTER TABLE claim_review
    DROP CONSTRAINT claim_review_decision_check,
    ADD CONSTRAINT claim_review_decision_check CHECK (decision IN ('approved', 'refused', 'superseded'));
COMMENT ON COLUMN claim_review.later_reasons IS 'What the person said after it was opened; an approved claim is stopped for it and reviewed again';
