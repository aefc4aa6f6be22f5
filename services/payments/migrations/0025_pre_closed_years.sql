-- A year that is over takes no new obligation, and the journal says from which entry on a line was closed.

-- To encumber is to promise: after the soft close what was only held goes back.
UPDATE posting_rule SET when_soft_closed = false WHERE kind = 'encumber';

CREATE TABLE line_closing (
    line text COLLATE "C" NOT NULL REFERENCES balance,
    phase text NOT NULL CHECK (phase IN ('soft_closed', 'hard_closed')),
    last_entry bigint NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (line, phase)
);
COMMENT ON COLUMN line_closing.last_entry IS 'The line''s last entry before it: the prover looks at every later one';
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON line_closing FROM cairn_payments;
CREATE TRIGGER line_closing_append_only BEFORE UPDATE OR DELETE ON line_closing
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE OR REPLACE FUNCTION close_line(line text, to_phase text) RETURNS text
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
    INSERT INTO line_closing (line, phase, last_entry)
    SELECT standing.id, to_phase, coalesce(max(t.entry), 0) FROM transfer AS t WHERE t.book = standing.id;
    RETURN 'ok';
END
$$;
