-- The close of a fiscal year, and the order of the waiting list.

-- A payment that is stopped when its year's books are shut goes on in them, or lapses: nothing else is encumbered there.
UPDATE posting_rule SET when_hard_closed = true WHERE kind IN ('unexpend', 'expend', 'liquidate');

-- What a publication says of the program's year and of its waiting list.
ALTER TABLE program_version
    ADD COLUMN fiscal_year_start text,
    ADD COLUMN time_zone text,
    ADD COLUMN waiting_order text[] NOT NULL DEFAULT '{waitlisted_at}',
    ADD COLUMN smaller_may_pass boolean NOT NULL DEFAULT false;
ALTER TABLE enrollment
    ADD COLUMN starts_on text,
    ADD COLUMN started_at timestamptz;

ALTER TABLE funding
    ADD COLUMN carried_from text COLLATE "C",
    ADD COLUMN submitted_at timestamptz,
    ADD COLUMN priority_group smallint,
    ADD COLUMN waiting_place text COLLATE "C" NOT NULL DEFAULT '';
COMMENT ON COLUMN funding.carried_from IS 'The budget line of the year before, where its encumbrance was carried forward';
COMMENT ON COLUMN funding.waiting_place IS 'Sorts the waiting list as the program orders it; ties go by waiting_number';
ALTER TABLE funding DROP CONSTRAINT funding_state_check;
ALTER TABLE funding ADD CONSTRAINT funding_state_check CHECK (state IN (
    'waiting', 'held', 'refused', 'encumbered', 'expended', 'released', 'expired', 'cancelled', 'lapsed'
));
DROP INDEX funding_waiting;
CREATE INDEX funding_waiting ON funding (book, waiting_place, waiting_number) WHERE state = 'waiting';
CREATE INDEX funding_held ON funding (book, application_id) WHERE state = 'held';
CREATE INDEX funding_encumbrance ON funding (encumbrance_transfer_id) WHERE state = 'encumbered';

CREATE TABLE fiscal_year_close (
    book text COLLATE "C" PRIMARY KEY,
    program_id text NOT NULL,
    fiscal_year integer NOT NULL,
    last_day date NOT NULL,
    time_zone text NOT NULL,
    soft_closed_at timestamptz NOT NULL,
    hard_closed_at timestamptz,
    report jsonb,
    UNIQUE (program_id, fiscal_year),
    CHECK ((hard_closed_at IS NULL) = (report IS NULL))
);
CREATE TABLE fiscal_year_approval (
    book text COLLATE "C" NOT NULL REFERENCES fiscal_year_close,
    approval_number integer NOT NULL,
    digest text NOT NULL,
    made_by text NOT NULL,
    checked_by text NOT NULL,
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (book, approval_number),
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by)
);
-- Every encumbrance that was open when its year ended. A row of the journal each, so that none is listed twice.
CREATE TABLE year_end_encumbrance (
    book text COLLATE "C" NOT NULL REFERENCES fiscal_year_close,
    transfer_id text COLLATE "C" NOT NULL,
    application_id text COLLATE "C",
    service_on date NOT NULL,
    service_basis text NOT NULL CHECK (service_basis IN ('course_started', 'course_starts', 'credential_earned', 'encumbered')),
    open_cents bigint NOT NULL CHECK (open_cents > 0),
    disposition text NOT NULL CHECK (disposition IN ('carry', 'lapse')),
    reason text NOT NULL,
    amended_by text,
    approval_number integer,
    outcome text CHECK (outcome IN ('carried', 'lapsed', 'resolved')),
    posted_cents bigint,
    posted_at timestamptz,
    PRIMARY KEY (book, transfer_id),
    FOREIGN KEY (book, approval_number) REFERENCES fiscal_year_approval,
    CONSTRAINT posted_as_approved CHECK (outcome IS NULL OR approval_number IS NOT NULL),
    CHECK ((outcome IS NULL) = (posted_at IS NULL) AND (outcome IS NULL) = (posted_cents IS NULL)),
    CHECK (posted_cents BETWEEN 0 AND open_cents)
);
CREATE INDEX year_end_encumbrance_left ON year_end_encumbrance (book, transfer_id) WHERE outcome IS NULL;
