-- Facts already handled, in the same transaction as their effects.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    handled_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

-- Records that could not be handled, exactly as they came.
CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    topic_partition integer NOT NULL,
    topic_offset bigint NOT NULL,
    event_id uuid,
    type text,
    reason text NOT NULL,
    explanation text NOT NULL,
    record_key bytea,
    headers text NOT NULL,
    payload bytea,
    dead_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'skipped')),
    UNIQUE (consumer, topic, topic_partition, topic_offset)
);
COMMENT ON COLUMN dead_letter.headers IS 'JSON [[name, base64 of the value or null], …]';
CREATE INDEX dead_letter_open ON dead_letter (id) WHERE state = 'open';

-- Who redrove or skipped what, and why.
CREATE TABLE dead_letter_act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id bigint NOT NULL REFERENCES dead_letter,
    act text NOT NULL CHECK (act IN ('redriven', 'skipped')),
    actor text NOT NULL,
    reason text,
    acted_at timestamptz NOT NULL
);
CREATE INDEX dead_letter_act_letter ON dead_letter_act (dead_letter_id);

-- Append-only for the service itself, whichever role that is.
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT g.grantee FROM information_schema.role_table_grants AS g
        WHERE g.table_schema = current_schema() AND g.table_name = 'dead_letter_act' AND g.grantee <> current_user
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON dead_letter_act FROM %I', grantee);
    END LOOP;
END
$$;
