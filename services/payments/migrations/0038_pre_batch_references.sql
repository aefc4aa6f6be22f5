-- What an ACH batch is called in its header, and what a bank's line gives back of it.
ALTER TABLE payment_entry ADD COLUMN batch_reference text NOT NULL DEFAULT '';
ALTER TABLE statement_line ADD COLUMN batch_reference text NOT NULL DEFAULT '';
