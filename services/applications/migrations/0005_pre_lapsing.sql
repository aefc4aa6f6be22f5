-- A deadline passed and nothing had been reported: from here on the doors take no more reports of the case. It is closed,
-- with its outcome, a moment later.
ALTER TABLE application ADD COLUMN lapsed_at timestamptz;
