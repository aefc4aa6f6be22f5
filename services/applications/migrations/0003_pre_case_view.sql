-- Where each case stands, folded from the facts of all four services. Registers keep the highest place, sums add up:
-- the same facts in any order give the same row.
CREATE TABLE case_view (
    application_id text PRIMARY KEY REFERENCES application,
    partner_id text NOT NULL,
    program_id text NOT NULL,
    round_id text NOT NULL,
    provider_id text NOT NULL,
    credential_id text NOT NULL,
    submitted_at timestamptz NOT NULL,
    stage text NOT NULL,
    stage_place bigint NOT NULL DEFAULT 0,
    lead jsonb,
    lead_place bigint NOT NULL DEFAULT 0,
    due_at timestamptz,
    outcome text,
    closed_at timestamptz,
    findings jsonb,
    findings_number integer NOT NULL DEFAULT 0,
    awarded_cents bigint NOT NULL DEFAULT 0,
    payments jsonb NOT NULL DEFAULT '{}',
    on_hold boolean NOT NULL DEFAULT false,
    on_hold_sequence bigint NOT NULL DEFAULT 0,
    facts integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX case_view_stage ON case_view (stage, application_id);
CREATE INDEX case_view_partner ON case_view (partner_id, application_id);
COMMENT ON COLUMN case_view.payments IS 'By disbursement id: {"settled_cents": …, "returned": true}';

-- The timeline: one line per fact.
CREATE TABLE case_entry (
    application_id text NOT NULL REFERENCES case_view,
    source text NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    partner_id text NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    text text NOT NULL,
    reasons jsonb NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (application_id, source, sequence)
);
