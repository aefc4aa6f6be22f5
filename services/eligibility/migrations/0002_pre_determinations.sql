-- The receipt of each determination: what was decided, by which rules, on which inputs.
CREATE TABLE determination (
    determination_id text COLLATE "C" PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    determination_number integer NOT NULL CHECK (determination_number > 0),
    person_id text COLLATE "C" NOT NULL,
    program_id text NOT NULL,
    pack_version text NOT NULL,
    effective_on date NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('eligible', 'ineligible', 'more_information')),
    answer jsonb NOT NULL,
    rule_versions jsonb NOT NULL,
    sealed_inputs text[] NOT NULL,
    inputs_sha256 bytea NOT NULL CHECK (octet_length(inputs_sha256) = 32),
    decided_at timestamptz NOT NULL,
    UNIQUE (application_id, determination_number),
    FOREIGN KEY (program_id, pack_version) REFERENCES program_version
);
COMMENT ON COLUMN determination.answer IS 'The step''s answer as first given: findings, missing, plan';
COMMENT ON COLUMN determination.sealed_inputs IS 'All inputs, under the person''s key, in as many pieces as the vault''s limit asks for';

-- What the program has promised each person; it counts unless the application ended unpaid.
CREATE TABLE commitment (
    application_id text COLLATE "C" PRIMARY KEY,
    person_id text COLLATE "C" NOT NULL,
    program_id text NOT NULL,
    round_id text NOT NULL,
    credential_id text NOT NULL,
    award_cents bigint NOT NULL CHECK (award_cents > 0),
    made_at timestamptz NOT NULL
);
CREATE INDEX commitment_person ON commitment (person_id, program_id);

-- Eligibility's own copy of applications, from the facts it reads, in whatever order they come.
CREATE TABLE application (
    application_id text COLLATE "C" PRIMARY KEY,
    partner_id text,
    closed_at timestamptz,
    outcome text
);

-- Versions and receipts are written once, whichever role writes them.
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT g.grantee FROM information_schema.role_table_grants AS g
        WHERE g.table_schema = current_schema() AND g.table_name = 'determination' AND g.grantee <> current_user
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON determination, program_version FROM %I', grantee);
    END LOOP;
END
$$;
