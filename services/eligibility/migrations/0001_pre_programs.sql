-- Every version of every program pack, for good: a case is decided and replayed by the version it pinned.
CREATE TABLE program_version (
    program_id text NOT NULL,
    pack_version text NOT NULL CHECK (pack_version ~ '^[0-9a-f]{64}$'),
    content text NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (program_id, pack_version)
);
COMMENT ON COLUMN program_version.content IS 'Canonical JSON; its SHA-256 is the version';

-- The version that new cases are decided by.
CREATE TABLE program (
    program_id text PRIMARY KEY,
    title text NOT NULL,
    pack_version text NOT NULL,
    published_at timestamptz NOT NULL,
    FOREIGN KEY (program_id, pack_version) REFERENCES program_version
);
