-- Each settled payment is looked at once for interest; what waits for its year's rate is passed by until it is listed.
ALTER TABLE disbursement ADD COLUMN interest_checked_at timestamptz;
UPDATE disbursement AS d SET interest_checked_at = i.recorded_at
FROM interest_obligation AS i WHERE i.disbursement_id = d.disbursement_id;
CREATE INDEX disbursement_interest_unchecked ON disbursement (due_on, disbursement_id)
    WHERE state = 'settled' AND interest_checked_at IS NULL;
