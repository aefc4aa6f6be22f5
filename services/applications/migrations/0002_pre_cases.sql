-- One row per human being. No personal value: those are in the vault; the keyed digest only finds the same person again.
CREATE TABLE person (
    person_id text PRIMARY KEY,
    ssn_mac bytea NOT NULL UNIQUE,
    admitted_at timestamptz NOT NULL
);

CREATE TABLE application (
    application_id text PRIMARY KEY,
    person_id text NOT NULL REFERENCES person,
    partner_id text NOT NULL,
    program_id text NOT NULL,
    round_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    course_run_id text,
    county text,
    language text NOT NULL,
    publish_name boolean NOT NULL,
    submitted_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    withdrawn_reason text,
    closed_at timestamptz,
    outcome text,
    CHECK ((closed_at IS NULL) = (outcome IS NULL))
) WITH (fillfactor = 80);
-- The last line against two open requests of one person for one credential.
CREATE UNIQUE INDEX application_open ON application (person_id, program_id, credential_id) WHERE closed_at IS NULL;
CREATE INDEX application_partner ON application (partner_id, application_id);

CREATE TABLE document (
    document_id text PRIMARY KEY,
    application_id text NOT NULL REFERENCES application,
    partner_id text NOT NULL,
    kind text NOT NULL,
    sealed_evidence text NOT NULL,
    received_at timestamptz NOT NULL
);
CREATE INDEX document_application ON document (application_id);

CREATE TABLE enrollment (
    enrollment_id text PRIMARY KEY,
    application_id text NOT NULL UNIQUE REFERENCES application,
    person_id text NOT NULL REFERENCES person,
    partner_id text NOT NULL,
    program_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    course_run_id text,
    award_cents bigint NOT NULL CHECK (award_cents > 0),
    respond_by timestamptz NOT NULL,
    requested_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN (
        'requested', 'waitlisted', 'accepted', 'refused', 'lapsed', 'started', 'completed', 'withdrawn'
    )),
    answer text CHECK (answer IN ('accepted', 'waitlisted', 'refused')),
    price_cents bigint CHECK (price_cents > 0 AND price_cents <= award_cents),
    starts_on text,
    reasons text [] NOT NULL DEFAULT '{}',
    answered_at timestamptz,
    started_at timestamptz,
    milestones text [] NOT NULL DEFAULT '{}',
    reminders integer NOT NULL DEFAULT 0,
    completed_on text,
    withdrawn_reason text,
    ended_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX enrollment_provider ON enrollment (provider_id, enrollment_id);

CREATE TABLE attestation (
    attestation_id text PRIMARY KEY,
    enrollment_id text NOT NULL UNIQUE REFERENCES enrollment,
    provider_id text NOT NULL,
    issuer_id text NOT NULL,
    key_id text NOT NULL,
    credential_id text NOT NULL,
    completed_on text NOT NULL,
    signed_statement text NOT NULL,
    attested_at timestamptz NOT NULL
);
COMMENT ON COLUMN attestation.signed_statement IS 'The compact JWS exactly as it came: evidence';

CREATE TABLE exam_attempt (
    application_id text NOT NULL REFERENCES application,
    exam_id text NOT NULL,
    attempt_number integer NOT NULL,
    provider_id text NOT NULL,
    registration text NOT NULL,
    registered_at timestamptz NOT NULL,
    result text CHECK (result IN ('passed', 'failed', 'no_show', 'canceled')),
    resulted_at timestamptz,
    PRIMARY KEY (application_id, exam_id, attempt_number)
);

CREATE TABLE credential_award (
    credential_award_id text PRIMARY KEY,
    application_id text NOT NULL UNIQUE REFERENCES application,
    enrollment_id text NOT NULL REFERENCES enrollment,
    attestation_id text NOT NULL REFERENCES attestation,
    person_id text NOT NULL REFERENCES person,
    partner_id text NOT NULL,
    program_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    earned_on text NOT NULL,
    publish_name boolean NOT NULL,
    verification_token text NOT NULL UNIQUE,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX credential_award_person ON credential_award (person_id);

CREATE TABLE claim (
    claim_id text PRIMARY KEY,
    enrollment_id text NOT NULL REFERENCES enrollment,
    application_id text NOT NULL REFERENCES application,
    provider_id text NOT NULL,
    invoice_number text NOT NULL,
    invoice_on text NOT NULL,
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    participant_charged_cents bigint NOT NULL CHECK (participant_charged_cents >= 0),
    submitted_at timestamptz NOT NULL,
    -- The same document handed in twice is one claim.
    UNIQUE (enrollment_id, invoice_number, invoice_on, amount_cents, participant_charged_cents)
);

CREATE TABLE staff_act (
    act_id text PRIMARY KEY,
    application_id text NOT NULL REFERENCES application,
    act text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL,
    note text NOT NULL,
    acted_at timestamptz NOT NULL
);
CREATE INDEX staff_act_application ON staff_act (application_id);
