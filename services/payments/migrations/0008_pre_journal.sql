-- The journal by fiscal year; phases of a budget line; corrections; cost lines.

ALTER TABLE balance ADD COLUMN phase text NOT NULL DEFAULT 'open'
    CONSTRAINT phase_of_a_line CHECK (phase = 'open' OR (level = 'line' AND phase IN ('soft_closed', 'hard_closed')));
COMMENT ON COLUMN balance.phase IS 'Of a budget line: what may still be posted in its fiscal year, as posting_rule says';

-- After the soft close nothing new is held and what is open is wound up or carried forward; after the hard close only
-- payments that are under way come to their end.
ALTER TABLE posting_rule
    ADD COLUMN when_soft_closed boolean NOT NULL DEFAULT true,
    ADD COLUMN when_hard_closed boolean NOT NULL DEFAULT false;
INSERT INTO posting_rule (kind, debit, credit, from_pending) VALUES
    ('recover', 'disbursed', 'available', true),
    ('unexpend', 'payable', 'encumbered', true);
UPDATE posting_rule SET when_soft_closed = false WHERE kind = 'hold';
UPDATE posting_rule SET when_hard_closed = true
WHERE kind IN ('send', 'settle', 'return', 'return_late', 'recover');

CREATE FUNCTION fiscal_year_of(book text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN substring(book FROM '/([0-9]{1,4})$')::integer;
COMMENT ON FUNCTION fiscal_year_of IS 'line/<program>/<fiscal year> → fiscal year';

ALTER TABLE transfer RENAME TO transfer_before;
ALTER TABLE transfer_before RENAME CONSTRAINT transfer_pkey TO transfer_before_pkey;
ALTER INDEX transfer_pending RENAME TO transfer_before_pending;
ALTER INDEX transfer_book RENAME TO transfer_before_book;
CREATE SEQUENCE transfer_entry AS bigint;
REVOKE ALL ON SEQUENCE transfer_entry FROM cairn_payments;

-- Ids are unique in all years together: the posting function holds each id's advisory lock while it looks it up and
-- writes it, for no unique index spans partitions.
CREATE TABLE transfer (
    id text COLLATE "C" NOT NULL,
    fiscal_year integer NOT NULL,
    entry bigint NOT NULL DEFAULT nextval('transfer_entry'),
    outcome text NOT NULL CHECK (outcome IN (
        'ok', 'over_program', 'over_round', 'over_award', 'over_person', 'closed', 'pending_not_found', 'already_resolved'
    )),
    kind text NOT NULL,
    debit text NOT NULL,
    credit text NOT NULL,
    cost_line text NOT NULL DEFAULT 'tuition'
        CONSTRAINT known_cost_line CHECK (cost_line IN ('tuition', 'exam_fee', 'books', 'supports')),
    pending_id text COLLATE "C",
    links_to text COLLATE "C",
    book text COLLATE "C" NOT NULL,
    line_id text COLLATE "C",
    round_id text COLLATE "C",
    award_id text COLLATE "C",
    person_id text COLLATE "C",
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    reason text NOT NULL,
    actor text NOT NULL,
    workflow_id text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    PRIMARY KEY (id, fiscal_year)
) PARTITION BY LIST (fiscal_year);
COMMENT ON COLUMN transfer.pending_id IS 'The transfer whose money this one moves on';
COMMENT ON COLUMN transfer.links_to IS 'The transfer that this one corrects or continues, in any fiscal year; never more than it';
COMMENT ON COLUMN transfer.cost_line IS 'Which line of the cost: what moves on money keeps its line';
CREATE INDEX transfer_pending ON transfer (pending_id) WHERE pending_id IS NOT NULL AND outcome = 'ok';
CREATE INDEX transfer_links_to ON transfer (links_to) WHERE links_to IS NOT NULL AND outcome = 'ok';
CREATE INDEX transfer_book ON transfer (book, entry);
CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE ON transfer
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER transfer_never_emptied BEFORE TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON transfer FROM cairn_payments;

-- A year's part of the journal is made when the year is first posted to, which is by its appropriation. Attached, not
-- created as a partition: that would stop every reader and writer of the journal.
CREATE FUNCTION open_journal(year integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = payments, pg_temp AS $$
DECLARE
    part CONSTANT text := format('transfer_%s', year);
BEGIN
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(7003, year);
    IF to_regclass(part) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE transfer INCLUDING ALL)', part);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %I FROM cairn_payments', part);
    EXECUTE format('ALTER TABLE transfer ATTACH PARTITION %I FOR VALUES IN (%L)', part, year);
    EXECUTE format(
        'CREATE TRIGGER transfer_never_emptied BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part
    );
END
$$;
REVOKE ALL ON FUNCTION open_journal FROM PUBLIC, cairn_payments;

SELECT open_journal(year) FROM (SELECT DISTINCT fiscal_year_of(book) AS year FROM transfer_before) AS known;
INSERT INTO transfer (
    id, fiscal_year, entry, outcome, kind, debit, credit, pending_id, book, line_id, round_id, award_id, person_id,
    amount_cents, reason, actor, workflow_id, occurred_at, recorded_at, fingerprint
)
SELECT id, fiscal_year_of(book), entry, outcome, kind, debit, credit, pending_id, book, line_id, round_id, award_id,
    person_id, amount_cents, reason, actor, workflow_id, occurred_at, recorded_at, fingerprint
FROM transfer_before ORDER BY entry;
SELECT setval('transfer_entry', coalesce(max(entry), 1), max(entry) IS NOT NULL) FROM transfer;
DROP TABLE transfer_before;
