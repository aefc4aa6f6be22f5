-- When the provider was told what a returned claim lacks; a late notice leaves the thirty days with the claim that came back.
ALTER TABLE claim
    ADD COLUMN notice_due_at timestamptz,
    ADD COLUMN notice_sent_at timestamptz,
    ADD COLUMN notice_way text CHECK (notice_way IN ('webhook', 'letter', 'document', 'before_record')),
    ADD COLUMN notice_document text,
    ADD COLUMN notice_recorded_by text,
    ADD COLUMN notice_called_at timestamptz,
    ADD COLUMN due_from date,
    ADD CONSTRAINT notice_has_its_way CHECK ((notice_sent_at IS NULL) = (notice_way IS NULL)),
    ADD CONSTRAINT document_has_its_recorder CHECK (
        (notice_way IS NOT DISTINCT FROM 'document') = (notice_document IS NOT NULL)
        AND (notice_document IS NULL) = (notice_recorded_by IS NULL)
    );
COMMENT ON COLUMN claim.notice_sent_at IS 'The first notice; NULL while there is none';
COMMENT ON COLUMN claim.notice_called_at IS 'When finance staff were called because it had not gone';
COMMENT ON COLUMN claim.due_from IS 'The day of an earlier claim whose notice was late; NULL where the thirty days began with this one';

-- Nobody kept it until now: these notices count as sent with the decision.
UPDATE claim SET notice_due_at = greatest(submitted_at + interval '15 days', decided_at), notice_sent_at = decided_at,
    notice_way = 'before_record'
WHERE status = 'returned';

CREATE INDEX claim_untold ON claim (decided_at) WHERE status = 'returned' AND notice_sent_at IS NULL;
CREATE INDEX claim_returned_of_case ON claim (application_id) WHERE status = 'returned';
