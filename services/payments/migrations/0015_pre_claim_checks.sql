-- What claims are matched against beside the case: the program's rules, listed prices and caps, providers' standing.
ALTER TABLE provider ADD COLUMN standing text;
ALTER TABLE program_round ADD COLUMN per_credential_cap_cents bigint;
CREATE TABLE claim_rules (
    program_id text PRIMARY KEY,
    rules jsonb NOT NULL
);
CREATE TABLE listed_price (
    program_id text NOT NULL,
    credential_id text NOT NULL,
    cost_line text NOT NULL,
    price_cents bigint NOT NULL,
    PRIMARY KEY (program_id, credential_id, cost_line)
);

CREATE FUNCTION names_in(names text[]) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (SELECT count(DISTINCT n) FROM unnest(names) AS n);

ALTER TABLE claim
    ADD COLUMN kind text NOT NULL DEFAULT 'claim' CHECK (kind IN ('claim', 'advance')),
    ADD COLUMN program_id text,
    ADD COLUMN person_id text,
    ADD COLUMN credential_id text,
    ADD COLUMN lines jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN documents jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN approvers text[] NOT NULL DEFAULT '{}',
    ADD COLUMN approvers_needed integer NOT NULL DEFAULT 0,
    ADD COLUMN request_month date,
    ADD COLUMN request_number integer,
    ADD COLUMN payable_from timestamptz,
    ADD COLUMN advanced_cents bigint NOT NULL DEFAULT 0 CHECK (advanced_cents >= 0),
    ADD COLUMN netted_cents bigint NOT NULL DEFAULT 0 CHECK (netted_cents >= 0),
    -- The last line behind the levels of approval: each name once, and enough of them.
    ADD CONSTRAINT enough_approvers CHECK (
        status <> 'approved' OR (cardinality(approvers) >= approvers_needed AND names_in(approvers) = cardinality(approvers))
    ),
    ADD CONSTRAINT something_left_to_pay CHECK (status <> 'approved' OR advanced_cents + netted_cents < approved_cents);
COMMENT ON COLUMN claim.approvers IS 'Of those who approved, the ones who may: not the provider, not whoever recorded its payee changes';
COMMENT ON COLUMN claim.payable_from IS 'Gathered into a later month''s request: not paid before';
UPDATE claim AS c SET
    program_id = f.program_id, person_id = f.person_id, credential_id = f.credential_id, approvers_needed = 0
FROM funding AS f
WHERE f.application_id = c.application_id AND f.enrollment_id = c.enrollment_id;
UPDATE claim SET invoice_key = coalesce(
    nullif(regexp_replace(regexp_replace(upper(invoice_number), '(^|[^0-9])0+([0-9])', '\1\2', 'g'), '[^0-9A-Z]', '', 'g'), ''),
    upper(invoice_number)
);
CREATE INDEX claim_person ON claim (person_id, credential_id) WHERE status IN ('approved', 'referred');
CREATE INDEX claim_provider ON claim (provider_id, submitted_at);
DROP INDEX claim_one_approved;
CREATE UNIQUE INDEX claim_one_approved ON claim (application_id, kind) WHERE status = 'approved';

-- A provider's requests that take no more claims; an open one needs no row.
CREATE TABLE closed_request (
    program_id text NOT NULL,
    provider_id text NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    number integer NOT NULL CHECK (number > 0),
    closed_by text NOT NULL,
    closed_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, provider_id, month, number)
);

-- Claims that wait for people, in named queues, and what each person said. Words are never changed.
CREATE TABLE claim_review (
    claim_id text NOT NULL REFERENCES claim,
    review_number integer NOT NULL CHECK (review_number > 0),
    queue text NOT NULL CHECK (queue IN ('charges', 'duplicates', 'payees', 'large_claims')),
    origin text NOT NULL CHECK (origin IN ('match', 'charge')),
    reasons text[] NOT NULL,
    approvers_needed integer NOT NULL CHECK (approvers_needed > 0),
    submitted_by text NOT NULL,
    opened_at timestamptz NOT NULL,
    decision text CHECK (decision IN ('approved', 'refused')),
    decided_at timestamptz,
    PRIMARY KEY (claim_id, review_number),
    CHECK ((decision IS NULL) = (decided_at IS NULL))
);
COMMENT ON COLUMN claim_review.origin IS 'match: the journey asks staff; charge: the claim was approved, and the person says that the provider charged';
CREATE UNIQUE INDEX claim_review_open ON claim_review (claim_id) WHERE decided_at IS NULL;
CREATE INDEX claim_review_queue ON claim_review (queue, opened_at) WHERE decided_at IS NULL;
CREATE TABLE claim_word (
    claim_id text NOT NULL,
    review_number integer NOT NULL,
    person text NOT NULL,
    submitted_by text NOT NULL,
    word text NOT NULL CHECK (word IN ('approve', 'refuse')),
    note text NOT NULL,
    said_at timestamptz NOT NULL,
    PRIMARY KEY (claim_id, review_number, person),
    FOREIGN KEY (claim_id, review_number) REFERENCES claim_review,
    CONSTRAINT maker_is_not_checker CHECK (person <> submitted_by)
);
REVOKE UPDATE, DELETE, TRUNCATE ON claim_word FROM cairn_payments;
