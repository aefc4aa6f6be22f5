-- One transaction may take in the applications of several partners. It names each application with the partner it came
-- from (`app_… partner,app_… partner,`), may insert exactly these, and sees nothing.
DO $$
DECLARE
    guarded text;
BEGIN
    FOREACH guarded IN ARRAY ARRAY['application', 'case_view'] LOOP
        EXECUTE format(
            'CREATE POLICY as_intake ON %I FOR INSERT WITH CHECK ('
            'strpos(current_setting(''cairn.intake'', true), application_id || '' '' || partner_id || '','') > 0)',
            guarded
        );
    END LOOP;
END
$$;
