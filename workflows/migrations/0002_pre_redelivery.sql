-- Who handed a late fact over again after all, and when.
ALTER TABLE late_fact ADD COLUMN redelivered_at timestamptz, ADD COLUMN redelivered_by text;
ALTER TABLE late_fact ADD CONSTRAINT late_fact_redelivery
    CHECK ((redelivered_at IS NULL) = (redelivered_by IS NULL)) NOT VALID;
ALTER TABLE late_fact VALIDATE CONSTRAINT late_fact_redelivery;
