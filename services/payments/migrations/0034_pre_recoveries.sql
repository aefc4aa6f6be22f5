-- Money that a provider pays back: proposed by one person on a line of the bank or a document, approved by another.
CREATE TABLE recovery (
    recovery_id text COLLATE "C" PRIMARY KEY,
    refund_id text COLLATE "C" NOT NULL REFERENCES provider_refund,
    cents bigint NOT NULL CHECK (cents > 0),
    line_id text COLLATE "C" REFERENCES statement_line,
    document text,
    state text NOT NULL CHECK (state IN ('proposed', 'withdrawn', 'posted')),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CONSTRAINT posted_by_two CHECK ((state = 'posted') = (checked_by IS NOT NULL)),
    CONSTRAINT line_or_document CHECK ((line_id IS NULL) <> (document IS NULL))
);
CREATE UNIQUE INDEX recovery_open ON recovery (refund_id) WHERE state = 'proposed';
CREATE UNIQUE INDEX recovery_document ON recovery (refund_id, document) WHERE state <> 'withdrawn';
REVOKE DELETE, TRUNCATE ON recovery FROM cairn_payments;
