-- A place alone names no record for ever: after a cluster was built anew another record comes at an old offset.
ALTER TABLE dead_letter ADD COLUMN digest bytea NOT NULL GENERATED ALWAYS AS (
    sha256(sha256(coalesce(record_key, '')) || decode(md5(headers), 'hex') || sha256(coalesce(payload, '')))
) STORED;
ALTER TABLE dead_letter
    ADD CONSTRAINT dead_letter_record UNIQUE (consumer, topic, topic_partition, topic_offset, digest);
