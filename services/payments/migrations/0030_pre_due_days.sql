-- The due day, counted in days of the program's zone; `due_at` is its end.
ALTER TABLE claim ADD COLUMN due_on date;
ALTER TABLE disbursement ADD COLUMN due_on date;
UPDATE claim AS c SET due_on = (c.due_at AT TIME ZONE coalesce(
    (SELECT r.rules ->> 'time_zone' FROM claim_rules AS r WHERE r.program_id = c.program_id), 'UTC'
))::date
WHERE c.due_at IS NOT NULL;
UPDATE disbursement AS d SET due_on = coalesce(c.due_on, (d.due_at AT TIME ZONE 'UTC')::date)
FROM claim AS c WHERE c.claim_id = d.claim_id;
ALTER TABLE disbursement ALTER COLUMN due_on SET NOT NULL;
ALTER TABLE claim ADD CONSTRAINT due_day_and_its_end CHECK ((due_on IS NULL) = (due_at IS NULL));
