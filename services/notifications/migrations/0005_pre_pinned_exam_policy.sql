-- The exam policy of the pack version that a case is pinned to: a newer version does not change its retakes.
ALTER TABLE case_file
    ADD COLUMN pack_version text,
    ADD COLUMN exam_attempts_max integer,
    ADD COLUMN exam_retake_wait_seconds bigint;
