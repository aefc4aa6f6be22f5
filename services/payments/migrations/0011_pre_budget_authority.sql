-- Budget documents move money between lines, rounds and awards; what a publication said is remembered beside them.

-- Money that goes over into the next year's line, and money that lapses without ever having been encumbered.
-- A refund to a closed year lapses, so that kind is taken whatever the phase.
INSERT INTO posting_rule (kind, debit, credit, from_pending, when_soft_closed, when_hard_closed) VALUES
    ('carry_out', 'encumbered', 'authority', true, true, false),
    ('carry_in', 'authority', 'encumbered', false, true, false),
    ('lapse_available', 'available', 'lapsed', false, true, true);

-- A publication moves a row by the difference to the publication before, not to what the row has: a document that
-- moved money in between stays in force.
CREATE TABLE published_authority (
    row_id text COLLATE "C" PRIMARY KEY,
    cents bigint NOT NULL CHECK (cents >= 0),
    postings integer NOT NULL
);
COMMENT ON COLUMN published_authority.postings IS 'How many postings publications have made on it; the next is named by it';
INSERT INTO published_authority (row_id, cents, postings)
SELECT id, appropriated_cents, appropriations FROM balance WHERE level <> 'person';

CREATE TABLE budget_document (
    document_id text COLLATE "C" PRIMARY KEY,
    program_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('appropriation', 'withdrawal', 'allotment', 'transfer')),
    reference text NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    from_row text COLLATE "C",
    to_row text COLLATE "C",
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'approved', 'refused')),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    refusal text,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CHECK ((state = 'proposed') = (checked_by IS NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((kind IN ('withdrawal', 'transfer')) = (from_row IS NOT NULL)),
    CHECK ((kind IN ('appropriation', 'allotment', 'transfer')) = (to_row IS NOT NULL)),
    CHECK (from_row <> to_row)
);
-- A document of the budget office moves money once.
CREATE UNIQUE INDEX budget_document_reference ON budget_document (
    program_id, reference, kind, coalesce(from_row, ''), coalesce(to_row, '')
) WHERE state <> 'refused';
CREATE INDEX budget_document_program ON budget_document (program_id, made_at);
