-- Cases whose journey was started: tells a fact that came too late from one whose case never began.
CREATE TABLE started_case (
    application_id text PRIMARY KEY,
    event_id uuid NOT NULL,
    started_at timestamptz NOT NULL
);

-- Facts that no journey could take any more. Staff look at them; nothing retries them.
CREATE TABLE late_fact (
    event_id uuid PRIMARY KEY,
    type text NOT NULL,
    application_id text NOT NULL,
    source text NOT NULL,
    sequence bigint NOT NULL,
    reason text NOT NULL CHECK (reason IN ('case_closed', 'never_started')),
    payload jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    parked_at timestamptz NOT NULL
);
CREATE INDEX late_fact_application ON late_fact (application_id);
