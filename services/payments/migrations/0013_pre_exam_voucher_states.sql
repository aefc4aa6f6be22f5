-- Every state of an exam voucher, the moves between them, how it was used, and what the vendor says of it.
ALTER TABLE exam_voucher DROP CONSTRAINT exam_voucher_state_check;
ALTER TABLE exam_voucher ADD CONSTRAINT exam_voucher_state_check CHECK (state IN (
    'available', 'allocated', 'revealed', 'registered', 'reusable', 'used', 'awaiting_vendor', 'expired', 'void'
));
ALTER TABLE exam_voucher
    ADD COLUMN used_as text CHECK (used_as IN ('delivered', 'no_show', 'late_cancel')),
    ADD COLUMN vendor_word text,
    ADD COLUMN vendor_told_at timestamptz,
    ADD CONSTRAINT exam_voucher_use_of_used CHECK (used_as IS NULL OR state = 'used');
COMMENT ON COLUMN exam_voucher.state IS
    'awaiting_vendor: a person saw the code and did not use it; only the vendor can say it is unused. reusable: its holder may use it again';
COMMENT ON COLUMN exam_voucher.vendor_told_at IS 'When the vendor took down its newest word on this code';
CREATE INDEX exam_voucher_running_out ON exam_voucher (usable_until)
    WHERE state IN ('available', 'allocated', 'revealed', 'reusable', 'awaiting_vendor');
CREATE INDEX exam_voucher_lot_states ON exam_voucher (lot_id, state);

-- The moves that there are. `only_vendor`: in the same change stands a newer word of the vendor's.
CREATE TABLE exam_voucher_move (
    was text NOT NULL,
    becomes text NOT NULL,
    only_vendor boolean NOT NULL,
    PRIMARY KEY (was, becomes)
);
INSERT INTO exam_voucher_move (was, becomes, only_vendor) VALUES
    ('available', 'allocated', false), ('available', 'awaiting_vendor', true),
    ('available', 'expired', false), ('available', 'void', false),
    ('allocated', 'available', false), ('allocated', 'revealed', false), ('allocated', 'registered', false),
    ('allocated', 'used', false), ('allocated', 'expired', false), ('allocated', 'void', false),
    ('revealed', 'registered', false), ('revealed', 'reusable', true), ('revealed', 'awaiting_vendor', false),
    ('revealed', 'used', false), ('revealed', 'expired', false), ('revealed', 'void', false),
    ('registered', 'reusable', false), ('registered', 'available', true), ('registered', 'used', false),
    ('registered', 'expired', false), ('registered', 'void', false),
    ('reusable', 'registered', false), ('reusable', 'awaiting_vendor', false), ('reusable', 'used', false),
    ('reusable', 'expired', false), ('reusable', 'void', false),
    ('awaiting_vendor', 'available', true), ('awaiting_vendor', 'registered', false),
    ('awaiting_vendor', 'used', false), ('awaiting_vendor', 'expired', false), ('awaiting_vendor', 'void', false),
    ('used', 'reusable', true), ('used', 'available', true),
    ('expired', 'used', false), ('expired', 'void', false);
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON exam_voucher_move FROM cairn_payments;

CREATE FUNCTION guard_exam_voucher_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    needs_vendor boolean;
BEGIN
    SELECT only_vendor INTO needs_vendor FROM exam_voucher_move WHERE was = OLD.state AND becomes = NEW.state;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'an exam voucher that is % does not become %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'exam_voucher_moves';
    END IF;
    IF needs_vendor AND (NEW.vendor_word, NEW.vendor_told_at) IS NOT DISTINCT FROM (OLD.vendor_word, OLD.vendor_told_at)
    THEN
        RAISE EXCEPTION 'only the vendor''s word makes an exam voucher that is % %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'exam_voucher_vendors_word';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER exam_voucher_moves BEFORE UPDATE OF state ON exam_voucher
    FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION guard_exam_voucher_move();

-- A retake is a second allocation that names the attempt it follows, under the policy of the case's own pack version.
ALTER TABLE exam_voucher_allocation
    ADD COLUMN entry bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN retake_of integer,
    ADD COLUMN pack_version text,
    ADD COLUMN attempts_max integer,
    ADD COLUMN retake_wait_seconds bigint,
    ADD CONSTRAINT exam_voucher_allocation_retake FOREIGN KEY (application_id, exam_id, retake_of)
        REFERENCES exam_voucher_allocation (application_id, exam_id, attempt_number),
    ADD CONSTRAINT exam_voucher_allocation_next_attempt CHECK (retake_of = attempt_number - 1),
    ADD CONSTRAINT exam_voucher_allocation_within_policy CHECK (attempt_number <= attempts_max);
COMMENT ON COLUMN exam_voucher_allocation.entry IS 'The order of allocations; clocks of two processes may disagree';
CREATE INDEX exam_voucher_allocation_voucher ON exam_voucher_allocation (exam_voucher_id, entry);
CREATE INDEX exam_voucher_allocation_pace ON exam_voucher_allocation (allocated_at, exam_id);

-- How attempts ended: the proof on which a retake is paid for.
CREATE TABLE exam_attempt_result (
    application_id text COLLATE "C" NOT NULL,
    exam_id text NOT NULL,
    attempt_number integer NOT NULL,
    result text NOT NULL,
    resulted_at timestamptz NOT NULL,
    PRIMARY KEY (application_id, exam_id, attempt_number)
);

-- A code that came back into stock may reach the same case again: it is shown once for each attempt.
ALTER TABLE exam_voucher_reveal ADD COLUMN attempt_number integer NOT NULL DEFAULT 1;
UPDATE exam_voucher_reveal AS r SET attempt_number = a.attempt_number
FROM exam_voucher_allocation AS a
WHERE a.exam_voucher_id = r.exam_voucher_id AND a.application_id = r.application_id AND a.attempt_number <> 1;
ALTER TABLE exam_voucher_reveal DROP CONSTRAINT exam_voucher_reveal_pkey;
ALTER TABLE exam_voucher_reveal ADD PRIMARY KEY (exam_voucher_id, application_id, attempt_number);
