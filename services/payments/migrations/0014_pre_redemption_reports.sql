-- Vendors' redemption reports: every line with its ending. No code and no line as it came: only its number and a MAC.
CREATE TABLE redemption_report (
    content_sha256 bytea PRIMARY KEY,
    vendor text NOT NULL,
    file_name text NOT NULL,
    lines integer NOT NULL,
    announced integer,
    applied integer NOT NULL,
    repeated integer NOT NULL,
    unknown_code integer NOT NULL,
    contradiction integer NOT NULL,
    unreadable integer NOT NULL,
    read_by text NOT NULL,
    read_at timestamptz NOT NULL,
    CONSTRAINT every_line_ends CHECK (applied + repeated + unknown_code + contradiction + unreadable = lines)
);
CREATE TABLE redemption_line (
    content_sha256 bytea NOT NULL REFERENCES redemption_report,
    line_number integer NOT NULL,
    ending text NOT NULL CHECK (ending IN ('applied', 'repeated', 'unknown_code', 'contradiction', 'unreadable')),
    reason text NOT NULL,
    explanation text NOT NULL,
    word text,
    event_at timestamptz,
    told_at timestamptz,
    exam_voucher_id text COLLATE "C" REFERENCES exam_voucher,
    PRIMARY KEY (content_sha256, line_number, reason)
);
COMMENT ON COLUMN redemption_line.line_number IS 'The line in the vendor''s file, the heading being 1; 0 speaks of the whole file';
CREATE INDEX redemption_line_voucher ON redemption_line (exam_voucher_id) WHERE exam_voucher_id IS NOT NULL;
CREATE INDEX redemption_line_open ON redemption_line (ending, content_sha256)
    WHERE ending IN ('unknown_code', 'contradiction', 'unreadable');

-- What the vendor said of a code, once each: the same words in another report change nothing.
CREATE TABLE exam_voucher_word (
    exam_voucher_id text COLLATE "C" NOT NULL REFERENCES exam_voucher,
    word text NOT NULL,
    event_at timestamptz NOT NULL,
    reference text NOT NULL,
    told_at timestamptz NOT NULL,
    content_sha256 bytea NOT NULL REFERENCES redemption_report,
    PRIMARY KEY (exam_voucher_id, word, event_at, reference)
);
REVOKE UPDATE, DELETE, TRUNCATE ON redemption_report, redemption_line, exam_voucher_word FROM cairn_payments;

-- What staff are told of the stock: raised once, ended when it is no longer so.
CREATE TABLE exam_voucher_alert (
    alert_id text PRIMARY KEY,
    exam_id text NOT NULL,
    code text NOT NULL CHECK (code IN ('low_stock', 'value_at_risk', 'expired_unused')),
    codes integer NOT NULL,
    cents bigint NOT NULL,
    raised_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE UNIQUE INDEX exam_voucher_alert_open ON exam_voucher_alert (exam_id, code) WHERE ended_at IS NULL;

-- The last day in the vendor's zone, as it was told; `expires_at` and `retires_at` are that day's last second.
ALTER TABLE exam_voucher_lot ADD COLUMN expires_on date, ADD COLUMN retires_on date;

-- What a lot cost, charged to a budget line's exam fees: set aside by one person, made payable by another.
CREATE TABLE exam_voucher_charge (
    lot_id text PRIMARY KEY REFERENCES exam_voucher_lot,
    program_id text NOT NULL,
    book text COLLATE "C" NOT NULL,
    cents bigint NOT NULL CHECK (cents > 0),
    invoice_number text NOT NULL,
    payable_transfer_id text,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    payment_number text,
    paid_on date,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CONSTRAINT payable_once_checked CHECK ((checked_by IS NULL) = (payable_transfer_id IS NULL)),
    CONSTRAINT paid_once_payable CHECK (payment_number IS NULL OR payable_transfer_id IS NOT NULL)
);
REVOKE DELETE, TRUNCATE ON exam_voucher_charge FROM cairn_payments;
