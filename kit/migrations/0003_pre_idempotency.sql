-- The first answer to each Idempotency-Key, kept with its effect. Never pruned: a key repeated next year is still a repeat.
CREATE TABLE idempotency (
    principal text NOT NULL,
    key_digest bytea NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (principal, key_digest)
);
COMMENT ON COLUMN idempotency.fingerprint IS 'HMAC of the request under the key itself, which is not kept: no one can guess the request from it';
COMMENT ON COLUMN idempotency.status IS 'Null only inside the transaction that is answering';
