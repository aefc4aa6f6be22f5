-- Creates many subjects' keys and first values in one call; returns how many. Every subject must be new: one that is
-- there ends it all.
CREATE FUNCTION admit_all(
    subjects text[], wrapped bytea[], version smallint, holders text[], names text[], ciphertexts text[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, vault, pg_temp AS $$
BEGIN
    INSERT INTO data_subject_key (subject_id, wrapped_key, kek_version)
    SELECT s.subject, s.wrapped_key, version FROM unnest(subjects, wrapped) AS s(subject, wrapped_key);
    -- Only what belongs to the subjects of this call: nobody's earlier values are reached from here.
    INSERT INTO personal_value (subject_id, name, sealed)
    SELECT v.holder, v.name, v.sealed FROM unnest(holders, names, ciphertexts) AS v(holder, name, sealed)
    WHERE v.holder = ANY (subjects);
    RETURN coalesce(cardinality(subjects), 0);
END $$;

REVOKE ALL ON FUNCTION admit_all(text[], bytea[], smallint, text[], text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION admit_all(text[], bytea[], smallint, text[], text[], text[]) TO cairn_applications;
