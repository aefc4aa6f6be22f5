-- Payments' own copy of what others own, kept from the facts it reads.
CREATE TABLE program_version (
    program_id text PRIMARY KEY,
    pack_version text NOT NULL,
    published_at timestamptz NOT NULL
);
CREATE TABLE program_round (
    program_id text NOT NULL,
    round_id text NOT NULL,
    fiscal_year integer NOT NULL,
    appropriation_cents bigint,
    per_person_cap_cents bigint,
    document_reference text,
    PRIMARY KEY (program_id, round_id)
);
CREATE TABLE provider (
    program_id text NOT NULL,
    provider_id text NOT NULL,
    name text NOT NULL,
    supplier_number text NOT NULL,
    PRIMARY KEY (program_id, provider_id)
);
CREATE TABLE application (
    application_id text COLLATE "C" PRIMARY KEY,
    person_id text NOT NULL,
    partner_id text NOT NULL,
    program_id text NOT NULL
);
CREATE TABLE enrollment (
    enrollment_id text COLLATE "C" PRIMARY KEY,
    application_id text COLLATE "C" NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    price_cents bigint NOT NULL
);
CREATE TABLE credential (
    application_id text COLLATE "C" PRIMARY KEY,
    credential_award_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    earned_on text NOT NULL
);

-- What the books could not follow by themselves and a budget officer has to look at.
CREATE TABLE budget_alert (
    alert_id text PRIMARY KEY,
    program_id text NOT NULL,
    balance_id text NOT NULL,
    code text NOT NULL,
    published_cents bigint NOT NULL,
    appropriated_cents bigint NOT NULL,
    pack_version text NOT NULL,
    raised_at timestamptz NOT NULL
);
CREATE INDEX budget_alert_program ON budget_alert (program_id, raised_at);
