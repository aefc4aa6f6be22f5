-- A supplier number decides whose account the finance system pays: it changes like an account, never by a program's pack.
ALTER TABLE payee_change ADD COLUMN supplier_number text CHECK (supplier_number ~ '^[0-9]{10}$');
ALTER TABLE payee
    ADD COLUMN supplier_number_before text,
    ADD COLUMN supplier_usable_at timestamptz,
    ADD CONSTRAINT before_has_cooling_off CHECK (supplier_number_before IS NULL OR supplier_usable_at IS NOT NULL);
COMMENT ON COLUMN payee.supplier_usable_at IS 'When the cooling-off period of the supplier number ends; NULL for the first one';
COMMENT ON COLUMN payee.supplier_number_before IS 'Paid under until then; NULL where payments wait for it';
COMMENT ON COLUMN provider.supplier_number IS 'As the pack lists it; payments are addressed by the payee''s';

-- A payee's invoice stays the same invoice under another supplier number.
CREATE INDEX claim_invoice_of_provider ON claim (provider_id, invoice_key);
