-- What notifications knows of each case and of each program, from facts alone.

CREATE TABLE listed_program (
    program_id text PRIMARY KEY,
    title text NOT NULL,
    pack_version text NOT NULL,
    published_at timestamptz NOT NULL
);

CREATE TABLE listed_provider (
    program_id text NOT NULL REFERENCES listed_program,
    provider_id text NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (program_id, provider_id)
);

CREATE TABLE listed_credential (
    program_id text NOT NULL REFERENCES listed_program,
    credential_id text NOT NULL,
    title text NOT NULL,
    exam_attempts_max integer,
    exam_retake_wait_seconds bigint,
    PRIMARY KEY (program_id, credential_id)
);

-- One row per case, made by whichever fact arrives first: it is also the lock that keeps the case's facts in order.
CREATE TABLE case_file (
    application_id text PRIMARY KEY,
    person_id text,
    partner_id text,
    program_id text,
    provider_id text,
    credential_id text,
    language text,
    sealed_contact text,
    enrollment_id text,
    enrollment_provider_id text,
    course_run_id text,
    award_cents bigint
);

CREATE INDEX case_file_program ON case_file (program_id);

-- Facts that arrived before something they need: topics have no order among each other.
CREATE TABLE waiting_fact (
    event_id uuid PRIMARY KEY,
    application_id text NOT NULL REFERENCES case_file,
    type text NOT NULL,
    payload jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    missing text NOT NULL CHECK (missing IN ('case', 'enrollment', 'program'))
);

CREATE INDEX waiting_fact_case ON waiting_fact (application_id, occurred_at, event_id);
