-- A location decides which account of the supplier the finance system pays: it cools off like the number.
ALTER TABLE payee
    ADD COLUMN location_before text CHECK (length(location_before) <= 20),
    ADD COLUMN location_usable_at timestamptz,
    ADD CONSTRAINT location_before_has_cooling_off CHECK (location_before IS NULL OR location_usable_at IS NOT NULL);
COMMENT ON COLUMN payee.location_usable_at IS 'When the cooling-off period of the location ends; NULL for the first one';
COMMENT ON COLUMN payee.location_before IS 'Paid to until then; NULL where payments wait for it';
