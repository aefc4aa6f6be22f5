-- A vendor redeems a code once, whatever exam it was sold for. Codes that were imported before have no digest over the
-- vendor yet: whoever imports a lot gives them one first, for only the service has the key.
ALTER TABLE exam_voucher
    ADD COLUMN vendor_code_mac bytea,
    ADD COLUMN twin_of text COLLATE "C" REFERENCES exam_voucher,
    ADD CONSTRAINT twin_has_no_mac CHECK (twin_of IS NULL OR vendor_code_mac IS NULL);
COMMENT ON COLUMN exam_voucher.twin_of IS 'The exam voucher that has the same code of the same vendor: this one pays for nothing';
CREATE UNIQUE INDEX exam_voucher_vendor_code ON exam_voucher (vendor_code_mac);
CREATE INDEX exam_voucher_without_vendor_mac ON exam_voucher (exam_voucher_id)
    WHERE vendor_code_mac IS NULL AND twin_of IS NULL;
