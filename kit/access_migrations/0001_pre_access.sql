-- API keys: 256 random bits, of which only a hash is kept.
CREATE TABLE api_key (
    prefix text PRIMARY KEY CHECK (prefix ~ '^[0-9a-z]{12}$'),
    secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
    kind text NOT NULL CHECK (kind IN ('partner', 'provider', 'issuer', 'staff', 'finance')),
    principal_id text NOT NULL CHECK (principal_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    scopes text[] NOT NULL,
    not_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL DEFAULT session_user,
    revoked_at timestamptz,
    CHECK (not_after > created_at)
);
CREATE INDEX api_key_of_principal ON api_key (kind, principal_id);

CREATE FUNCTION find_key(wanted text)
RETURNS TABLE (secret_hash bytea, kind text, principal_id text, scopes text[], not_after timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, access, pg_temp AS $$
    SELECT k.secret_hash, k.kind, k.principal_id, k.scopes, k.not_after, k.revoked_at
    FROM api_key AS k WHERE k.prefix = wanted
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA access FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA access FROM PUBLIC;
GRANT EXECUTE ON FUNCTION find_key(text)
    TO cairn_applications, cairn_eligibility, cairn_payments, cairn_notifications;
