-- By when somebody must act: the planned waits of the determination, when each began, and what staff last moved.
ALTER TABLE case_view
    ADD COLUMN waits jsonb,
    ADD COLUMN began jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN moved jsonb,
    ADD COLUMN moved_sequence bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN case_view.waits IS 'ISO 8601 durations, of the determination that findings_number names';
COMMENT ON COLUMN case_view.began IS 'By name of a wait, `completion:0`: the earliest moment told';
