-- Messages to people. No personal value in the clear: the address is opened at the moment of sending.

CREATE TABLE notice (
    notice_id text PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    application_id text NOT NULL REFERENCES case_file,
    template text NOT NULL,
    language text NOT NULL,
    particulars jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'sent', 'failed')),
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at timestamptz NOT NULL,
    leased_until timestamptz,
    failure text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    traceparent text,
    correlation_id text,
    causation_id text,
    CHECK ((state = 'failed') = (failure IS NOT NULL)),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);

CREATE INDEX notice_due ON notice (due_at, position) WHERE state = 'pending';
CREATE INDEX notice_case ON notice (application_id, position);
