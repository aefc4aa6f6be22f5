-- What a person says while people look at the claim for another reason: no word on that review answers it.
ALTER TABLE claim_review ADD COLUMN later_reasons text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN claim_review.later_reasons IS 'Doubts that came after it was opened; an approved claim is stopped for them and reviewed again';
