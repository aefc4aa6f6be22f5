-- Roles and schemas of one Cairn database. Run by `cairn bootstrap`, or by hand with psql, as often as you like.
-- Run it as cairn_owner: the role that owns the database, may create roles, and later applies the migrations.
-- Passwords are not in here: `cairn bootstrap` sets them from the secrets folder.

DO $$
DECLARE
  service text;
  services CONSTANT text[] := ARRAY['applications', 'eligibility', 'payments', 'notifications', 'workflows'];
BEGIN
  EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());

  -- A function is callable by nobody until a grant says so: some of them read for their owner (SECURITY DEFINER).
  ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

  FOREACH service IN ARRAY services LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'cairn_' || service) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT', 'cairn_' || service);
    END IF;
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), 'cairn_' || service);
    EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', service);
    EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', service);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', service, 'cairn_' || service);
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %I',
      service, 'cairn_' || service);
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE, SELECT ON SEQUENCES TO %I', service, 'cairn_' || service);
    EXECUTE format(
      'ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO %I', service, 'cairn_' || service);
    EXECUTE format('ALTER ROLE %I SET search_path = %I', 'cairn_' || service, service);
  END LOOP;

  -- Personal values and API keys have schemas of their own: services reach them through granted functions only.
  CREATE SCHEMA IF NOT EXISTS vault;
  REVOKE ALL ON SCHEMA vault FROM PUBLIC;
  GRANT USAGE ON SCHEMA vault TO cairn_applications, cairn_eligibility, cairn_payments, cairn_notifications;
  CREATE SCHEMA IF NOT EXISTS access;
  REVOKE ALL ON SCHEMA access FROM PUBLIC;
  GRANT USAGE ON SCHEMA access TO cairn_applications, cairn_eligibility, cairn_payments, cairn_notifications;
END
$$;
