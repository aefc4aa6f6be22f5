-- What operators did by hand in this schema: who, when and why.
CREATE TABLE operator_act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act text NOT NULL CHECK (act ~ '^[a-z][a-z_]{0,40}$'),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 600),
    actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 100),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 1000),
    acted_at timestamptz NOT NULL
);
CREATE INDEX operator_act_subject ON operator_act (subject);

-- Append-only for the service itself, whichever role that is.
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT g.grantee FROM information_schema.role_table_grants AS g
        WHERE g.table_schema = current_schema() AND g.table_name = 'operator_act' AND g.grantee <> current_user
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON operator_act FROM %I', grantee);
    END LOOP;
END
$$;
