-- The lines of the cost that a case's award is made of: its entries in the journal are divided by them.
CREATE FUNCTION cents_of(lines jsonb) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(lines))::bigint;
COMMENT ON FUNCTION cents_of IS '{"tuition": cents, …} → all of them together';

ALTER TABLE funding
    ADD COLUMN cost_lines jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT lines_are_the_award CHECK (cost_lines = '{}' OR cents_of(cost_lines) = amount_cents);
COMMENT ON COLUMN funding.cost_lines IS 'The award by line, in cents; empty where nobody said: all of it is tuition';

CREATE TRIGGER funding_cost_lines_stay BEFORE UPDATE OF cost_lines ON funding
    FOR EACH ROW WHEN (OLD.cost_lines IS DISTINCT FROM NEW.cost_lines) EXECUTE FUNCTION refuse_change();

-- The lines of a case go one way when its fiscal year closes.
CREATE INDEX year_end_encumbrance_of_case ON year_end_encumbrance (book, application_id) WHERE outcome IS NULL;
