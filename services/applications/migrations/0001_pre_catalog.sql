-- Our copy of what programs publish. A listing that a newer pack drops stays for the cases that began under it.
CREATE TABLE listed_program (
    program_id text PRIMARY KEY,
    title text NOT NULL,
    pack_version text NOT NULL,
    published_at timestamptz NOT NULL
);

CREATE TABLE listed_round (
    program_id text NOT NULL REFERENCES listed_program,
    round_id text NOT NULL,
    title text NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (program_id, round_id)
);

CREATE TABLE listed_provider (
    program_id text NOT NULL REFERENCES listed_program,
    provider_id text NOT NULL,
    name text NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (program_id, provider_id)
);

CREATE TABLE listed_credential (
    program_id text NOT NULL REFERENCES listed_program,
    credential_id text NOT NULL,
    title text NOT NULL,
    issuers text [] NOT NULL,
    milestones text [] NOT NULL,
    exam_id text,
    listed boolean NOT NULL,
    PRIMARY KEY (program_id, credential_id)
);

CREATE TABLE listed_course_run (
    program_id text NOT NULL REFERENCES listed_program,
    course_run_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    starts_on date NOT NULL,
    ends_on date NOT NULL,
    listed boolean NOT NULL,
    PRIMARY KEY (program_id, course_run_id)
);

-- The keys under which registered issuers sign attestations.
CREATE TABLE issuer_key (
    issuer_id text NOT NULL,
    key_id text NOT NULL,
    public_jwk jsonb NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz,
    registered_at timestamptz NOT NULL,
    PRIMARY KEY (issuer_id, key_id),
    CHECK (not_after IS NULL OR not_after > not_before)
);
COMMENT ON COLUMN issuer_key.public_jwk IS 'RFC 7517, public members only';
