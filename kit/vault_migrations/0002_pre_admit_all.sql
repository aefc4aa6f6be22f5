-- Creates many subjects' keys and first values in one call; returns how many. `sealed` holds, for each subject, the
-- ciphertexts of `names` in their order, a full stop (which is in no ciphertext) between them. Every subject must be
-- new: one that is there ends it all.
CREATE FUNCTION admit_all(
    subjects text[], wrapped bytea[], version smallint, names text[], sealed text[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vault, pg_temp AS $$
BEGIN
    INSERT INTO data_subject_key (subject_id, wrapped_key, kek_version)
    SELECT s.subject, s.wrapped_key, version FROM unnest(subjects, wrapped) AS s(subject, wrapped_key);
    INSERT INTO personal_value (subject_id, name, sealed)
    SELECT s.subject, v.name, v.ciphertext
    FROM unnest(subjects, sealed) AS s(subject, ciphertexts)
    CROSS JOIN LATERAL unnest(names, string_to_array(s.ciphertexts, '.')) AS v(name, ciphertext);
    RETURN coalesce(cardinality(subjects), 0);
END $$;

REVOKE ALL ON FUNCTION admit_all(text[], bytea[], smallint, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit_all(text[], bytea[], smallint, text[], text[]) TO cairn_applications;
