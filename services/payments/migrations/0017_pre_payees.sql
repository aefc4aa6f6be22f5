-- Who is paid, by which rail, to which account. A change takes call-back evidence, two people and a cooling-off period.
CREATE TABLE payee (
    provider_id text PRIMARY KEY,
    supplier_number text NOT NULL,
    name text NOT NULL,
    tax_class text NOT NULL DEFAULT 'not_stated' CHECK (tax_class IN (
        'not_stated', 'government', 'nonprofit', 'corporation', 'partnership', 'sole_proprietor', 'individual'
    )),
    location text NOT NULL DEFAULT '' CHECK (length(location) <= 20),
    rail text NOT NULL DEFAULT 'payment_voucher' CHECK (rail IN ('payment_voucher', 'ach')),
    entry_class text NOT NULL DEFAULT 'CCD' CHECK (entry_class IN ('CCD', 'CTX', 'PPD')),
    rail_before text CHECK (rail_before IN ('payment_voucher')),
    changed_at timestamptz NOT NULL
);
COMMENT ON COLUMN payee.location IS 'Which of the supplier''s locations the finance system pays';
COMMENT ON COLUMN payee.rail_before IS 'The rail that goes on paying until an account can be used';
INSERT INTO payee (provider_id, supplier_number, name, changed_at)
SELECT DISTINCT ON (provider_id) provider_id, supplier_number, name, now() FROM provider ORDER BY provider_id, program_id;

CREATE TABLE payee_account (
    account_id text COLLATE "C" PRIMARY KEY,
    provider_id text NOT NULL REFERENCES payee,
    holder_name text NOT NULL CHECK (length(holder_name) BETWEEN 1 AND 22),
    routing_number text NOT NULL CONSTRAINT routing_number_checks CHECK (
        CASE WHEN routing_number ~ '^[0-9]{9}$' AND routing_number <> '000000000' THEN (
            3 * (substr(routing_number, 1, 1)::int + substr(routing_number, 4, 1)::int + substr(routing_number, 7, 1)::int)
            + 7 * (substr(routing_number, 2, 1)::int + substr(routing_number, 5, 1)::int + substr(routing_number, 8, 1)::int)
            + substr(routing_number, 3, 1)::int + substr(routing_number, 6, 1)::int + substr(routing_number, 9, 1)::int
        ) % 10 = 0 ELSE false END
    ),
    account_type text NOT NULL CHECK (account_type IN ('checking', 'savings')),
    sealed_number bytea NOT NULL,
    last_four text NOT NULL CHECK (length(last_four) <= 4),
    state text NOT NULL CHECK (state IN ('proposed', 'active', 'closed', 'invalid', 'withdrawn')),
    usable_at timestamptz,
    prenote_batch_id text,
    prenote_on date,
    ended_reason text,
    changed_at timestamptz NOT NULL,
    CONSTRAINT active_has_cooling_off CHECK (state <> 'active' OR usable_at IS NOT NULL)
);
COMMENT ON COLUMN payee_account.usable_at IS 'When the cooling-off period ends';
COMMENT ON COLUMN payee_account.prenote_on IS 'The effective entry date of its prenote';
CREATE INDEX payee_account_of ON payee_account (provider_id, account_id);

CREATE TABLE payee_change (
    change_id text COLLATE "C" PRIMARY KEY,
    provider_id text NOT NULL REFERENCES payee,
    source text NOT NULL CHECK (source IN ('payee', 'notification_of_change')),
    reference text NOT NULL DEFAULT '',
    tax_class text,
    location text,
    rail text CHECK (rail IN ('payment_voucher', 'ach')),
    entry_class text,
    account_id text REFERENCES payee_account,
    old_stays boolean NOT NULL,
    called_person text,
    called_number text,
    called_at timestamptz,
    evidence_by text,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    checked_by text,
    checked_at timestamptz,
    withdrawn_by text,
    withdrawn_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (checked_by <> made_by),
    CONSTRAINT caller_is_not_checker CHECK (checked_by <> evidence_by),
    CONSTRAINT called_back_before_approval CHECK (
        checked_by IS NULL
        OR (called_person IS NOT NULL AND called_number IS NOT NULL AND called_at IS NOT NULL AND evidence_by IS NOT NULL)
    ),
    CHECK (checked_by IS NULL OR withdrawn_by IS NULL)
);
COMMENT ON COLUMN payee_change.called_number IS 'The number that was on file before the change was asked for';
CREATE UNIQUE INDEX payee_change_open ON payee_change (provider_id) WHERE checked_by IS NULL AND withdrawn_by IS NULL;

CREATE TABLE payee_hold (
    hold_id text COLLATE "C" PRIMARY KEY,
    provider_id text NOT NULL REFERENCES payee,
    source text NOT NULL CHECK (source IN ('screening', 'manual', 'return')),
    reference text NOT NULL,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL,
    release_reason text,
    release_made_by text,
    release_made_at timestamptz,
    released_by text,
    released_at timestamptz,
    CONSTRAINT maker_is_not_checker CHECK (released_by <> release_made_by),
    CHECK (released_by IS NULL OR release_made_by IS NOT NULL),
    UNIQUE (provider_id, source, reference)
);
CREATE INDEX payee_hold_open ON payee_hold (provider_id) WHERE released_by IS NULL;

CREATE TABLE screening_entry (
    list_name text NOT NULL,
    reference text NOT NULL,
    name text NOT NULL,
    name_key text NOT NULL,
    supplier_number text,
    imported_by text NOT NULL,
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (list_name, reference)
);
CREATE INDEX screening_entry_name ON screening_entry (name_key);

-- What the rails could not do by themselves and finance staff have to look at.
CREATE TABLE payment_alert (
    alert_id text PRIMARY KEY,
    code text NOT NULL,
    provider_id text,
    disbursement_id text,
    batch_id text,
    explanation text NOT NULL,
    raised_at timestamptz NOT NULL,
    closed_by text,
    closed_at timestamptz
);
CREATE INDEX payment_alert_open ON payment_alert (raised_at) WHERE closed_by IS NULL;
