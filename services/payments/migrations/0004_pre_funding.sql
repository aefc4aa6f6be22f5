-- Where the money of each case stands; a case whose hold expired may ask again under the next hold number. The journal is the proof; this row says which entries are the case's.
CREATE TABLE funding (
    application_id text COLLATE "C" NOT NULL,
    hold_number integer NOT NULL,
    person_id text NOT NULL,
    program_id text NOT NULL,
    round_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    book text COLLATE "C" NOT NULL,
    person_capped boolean NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    hold_seconds integer NOT NULL CHECK (hold_seconds > 0),
    state text NOT NULL CHECK (state IN (
        'waiting', 'held', 'refused', 'encumbered', 'expended', 'released', 'expired', 'cancelled'
    )),
    reason text,
    hold_id text,
    hold_transfer_id text,
    expires_at timestamptz,
    waiting_number bigint,
    served integer NOT NULL DEFAULT 0,
    enrollment_id text,
    encumbrance_transfer_id text,
    encumbered_cents bigint NOT NULL DEFAULT 0,
    released_cents bigint NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (application_id, hold_number),
    CHECK ((state IN ('waiting', 'cancelled', 'refused')) = (hold_id IS NULL))
);
COMMENT ON COLUMN funding.served IS 'How often the waiting list has tried to place its hold; names the next try';
CREATE SEQUENCE funding_waiting_number;
CREATE INDEX funding_waiting ON funding (book, waiting_number) WHERE state = 'waiting';
CREATE INDEX funding_expiring ON funding (expires_at) WHERE state = 'held';

-- Cases that gave back what they had. A request for money that comes late is refused.
CREATE TABLE ended_case (
    application_id text COLLATE "C" PRIMARY KEY,
    reason text NOT NULL,
    ended_at timestamptz NOT NULL
);
