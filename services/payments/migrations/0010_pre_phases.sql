-- A fiscal year closes forward only, and not while anything of it is still promised.
CREATE FUNCTION close_line(line text, to_phase text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = payments, pg_temp AS $$
DECLARE
    phases CONSTANT text[] := ARRAY['open', 'soft_closed', 'hard_closed'];
    standing balance;
BEGIN
    SELECT * INTO standing FROM balance WHERE id = line AND level = 'line' FOR UPDATE;
    IF NOT FOUND OR array_position(phases, to_phase) IS NULL THEN
        RETURN 'unknown';
    ELSIF standing.phase = to_phase THEN
        RETURN 'ok';
    ELSIF array_position(phases, to_phase) <> array_position(phases, standing.phase) + 1 THEN
        RETURN 'out_of_order';
    ELSIF to_phase = 'hard_closed' AND (standing.available_cents, standing.held_cents, standing.encumbered_cents) <> (0, 0, 0) THEN
        RETURN 'still_open';
    END IF;
    UPDATE balance SET phase = to_phase WHERE id = line;
    RETURN 'ok';
END
$$;
COMMENT ON FUNCTION close_line IS
    'open → soft_closed → hard_closed; ok (also again), unknown, out_of_order, still_open (money is available, held or encumbered)';
REVOKE ALL ON FUNCTION close_line FROM PUBLIC;
GRANT EXECUTE ON FUNCTION close_line TO cairn_payments;

-- When the books were last proven, and with what result: the nightly proof asks, and whoever asks after it.
CREATE TABLE ledger_proof (
    one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    proven_at timestamptz NOT NULL,
    entries bigint NOT NULL,
    faults bigint NOT NULL
);
INSERT INTO ledger_proof (proven_at, entries, faults) VALUES ('-infinity', 0, 0);
