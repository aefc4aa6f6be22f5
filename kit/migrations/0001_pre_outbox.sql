-- Facts on their way to Kafka. A row is deleted once the broker has acknowledged it.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard smallint NOT NULL,
    key text NOT NULL,
    topic text NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    sequence bigint,
    record_key bytea,
    headers text NOT NULL,
    payload bytea,
    created_at timestamptz NOT NULL
) WITH (
    -- Emptied as fast as it is filled: vacuum by count, or the relay would step over ever more dead rows.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0
);
COMMENT ON COLUMN outbox.key IS 'What keeps rows in order: application or program id';
COMMENT ON COLUMN outbox.sequence IS 'ce_sequence; null in rows that republish a record as it was';
COMMENT ON COLUMN outbox.headers IS 'JSON [[name, base64 of the value or null], …]';

-- The last sequence number of every key: gapless, because its row stays locked until the writer commits.
CREATE TABLE outbox_sequence (
    source text NOT NULL,
    key text NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (source, key)
) WITH (fillfactor = 70);

-- Keys whose first row cannot be published. Their rows wait; every other key goes on.
CREATE TABLE outbox_parked (
    topic text NOT NULL,
    key text NOT NULL,
    outbox_id bigint NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (topic, key)
);
