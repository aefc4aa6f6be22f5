-- Personal values, each under its person's own key; the keys wrapped by a key-encryption key that is not in here.
CREATE TABLE data_subject_key (
    subject_id text PRIMARY KEY CHECK (length(subject_id) BETWEEN 1 AND 64),
    wrapped_key bytea,
    kek_version smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL DEFAULT session_user,
    shredded_at timestamptz,
    shredded_by text,
    CHECK ((wrapped_key IS NULL) = (shredded_at IS NOT NULL))
);
COMMENT ON COLUMN data_subject_key.wrapped_key IS 'Null once shredded; the row stays, so that the subject gets no second key';

CREATE TABLE personal_value (
    subject_id text NOT NULL REFERENCES data_subject_key,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    sealed text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subject_id, name)
);

CREATE TABLE key_read (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id text NOT NULL,
    reader text NOT NULL DEFAULT session_user,
    process text NOT NULL DEFAULT current_setting('application_name'),
    purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 100),
    request_id text NOT NULL CHECK (length(request_id) BETWEEN 1 AND 200),
    names text[] NOT NULL,
    read_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE key_read IS 'Who took which person''s key, when and what for. Append-only.';
CREATE INDEX key_read_of_subject ON key_read (subject_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER key_read_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON key_read
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Creates the subject's key and first values; false, and nothing stored, where the subject is already there.
CREATE FUNCTION admit(subject text, wrapped bytea, version smallint, names text[], ciphertexts text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vault, pg_temp AS $$
BEGIN
    INSERT INTO data_subject_key (subject_id, wrapped_key, kek_version) VALUES (subject, wrapped, version)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO personal_value (subject_id, name, sealed)
    SELECT subject, v.name, v.sealed FROM unnest(names, ciphertexts) AS v(name, sealed);
    RETURN true;
END $$;

-- The wrapped key, and the ciphertext of each name there is one of. No row: unknown subject. Null key: shredded.
CREATE FUNCTION take_key(subject text, for_purpose text, for_request text, wanted text[])
RETURNS TABLE (wrapped_key bytea, kek_version smallint, names text[], ciphertexts text[])
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, vault, pg_temp AS $$
    WITH noted AS (
        INSERT INTO key_read (subject_id, purpose, request_id, names)
        SELECT k.subject_id, for_purpose, for_request, wanted FROM data_subject_key AS k WHERE k.subject_id = subject
    )
    SELECT k.wrapped_key, k.kek_version, array_agg(v.name), array_agg(v.sealed)
    FROM data_subject_key AS k
    LEFT JOIN personal_value AS v ON v.subject_id = k.subject_id AND v.name = ANY (wanted)
    WHERE k.subject_id = subject
    GROUP BY k.subject_id
$$;

-- Stores values; false where the subject is unknown or shredded.
CREATE FUNCTION put_values(subject text, names text[], ciphertexts text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vault, pg_temp AS $$
BEGIN
    -- Shared with other writers, not with a shred: a value stored behind its back would outlive it.
    PERFORM FROM data_subject_key AS k WHERE k.subject_id = subject AND k.wrapped_key IS NOT NULL FOR SHARE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO personal_value (subject_id, name, sealed)
    SELECT subject, v.name, v.sealed FROM unnest(names, ciphertexts) AS v(name, sealed) ORDER BY v.name
    ON CONFLICT (subject_id, name) DO UPDATE SET sealed = excluded.sealed, stored_at = clock_timestamp();
    RETURN true;
END $$;

-- Deletes key and values; every ciphertext under the key, wherever it lies, is noise from now on.
CREATE FUNCTION shred(subject text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vault, pg_temp AS $$
BEGIN
    UPDATE data_subject_key AS k
    SET wrapped_key = NULL, shredded_at = clock_timestamp(), shredded_by = session_user
    WHERE k.subject_id = subject AND k.wrapped_key IS NOT NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM personal_value AS v WHERE v.subject_id = subject;
    RETURN true;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA vault FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA vault FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit(text, bytea, smallint, text[], text[]) TO cairn_applications;
GRANT EXECUTE ON FUNCTION put_values(text, text[], text[]) TO cairn_applications;
GRANT EXECUTE ON FUNCTION shred(text) TO cairn_applications;
GRANT EXECUTE ON FUNCTION take_key(text, text, text, text[])
    TO cairn_applications, cairn_eligibility, cairn_notifications;
