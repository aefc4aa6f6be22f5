-- The second wall. A connection sees rows only after it has said who it acts for: a partner, a provider, the holder of
-- a verification token, staff (read only), or the service itself. Unset, it sees nothing.
DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY[
        'application', 'document', 'enrollment', 'attestation', 'exam_attempt', 'credential_award', 'claim',
        'staff_act', 'case_view', 'case_entry'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
        EXECUTE format(
            'CREATE POLICY as_service ON %I USING (current_setting(''cairn.actor'', true) = ''service'')', guarded
        );
        EXECUTE format(
            'CREATE POLICY as_staff ON %I FOR SELECT USING (current_setting(''cairn.actor'', true) = ''staff'')', guarded
        );
    END LOOP;

    FOREACH guarded IN ARRAY ARRAY[
        'application', 'document', 'enrollment', 'credential_award', 'case_view', 'case_entry'
    ] LOOP
        EXECUTE format(
            'CREATE POLICY as_partner ON %I USING (partner_id = nullif(current_setting(''cairn.partner_id'', true), ''''))',
            guarded
        );
    END LOOP;

    FOREACH guarded IN ARRAY ARRAY[
        'application', 'enrollment', 'attestation', 'exam_attempt', 'credential_award', 'claim'
    ] LOOP
        EXECUTE format(
            'CREATE POLICY as_provider ON %I USING (provider_id = nullif(current_setting(''cairn.provider_id'', true), ''''))',
            guarded
        );
    END LOOP;
END
$$;

CREATE POLICY as_verifier ON credential_award FOR SELECT
USING (verification_token = nullif(current_setting('cairn.verification_token', true), ''));

-- Evidence is never changed, by whatever role.
DO $$
DECLARE
    grantee text;
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['document', 'attestation', 'claim', 'staff_act', 'credential_award', 'case_entry'] LOOP
        FOR grantee IN
            SELECT DISTINCT g.grantee FROM information_schema.role_table_grants AS g
            WHERE g.table_schema = current_schema() AND g.table_name = kept AND g.grantee <> current_user
        LOOP
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM %I', kept, grantee);
        END LOOP;
    END LOOP;
END
$$;
