-- Files that could not be read: how often it was tried, and when it was put aside for a person.
CREATE TABLE inbound_failure (
    file_name text NOT NULL,
    content_sha256 bytea NOT NULL,
    tries integer NOT NULL CHECK (tries > 0),
    error text NOT NULL,
    failed_at timestamptz NOT NULL,
    set_aside_at timestamptz,
    PRIMARY KEY (file_name, content_sha256)
);
CREATE INDEX funding_waiting_of_award ON funding (book, round_id, provider_id, waiting_place, waiting_number)
    WHERE state = 'waiting';
