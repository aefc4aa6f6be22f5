-- Letters to a provider's office: what its claim lacks, whether or not it has a webhook endpoint.
ALTER TABLE listed_provider ADD COLUMN contact_email text;
COMMENT ON COLUMN listed_provider.contact_email IS 'An office''s mailbox, as the program lists it; never a person''s own';
ALTER TABLE notice
    ADD COLUMN provider_id text,
    ADD COLUMN claim_id text,
    ADD CONSTRAINT letter_to_a_provider_names_its_claim CHECK ((provider_id IS NULL) = (claim_id IS NULL));
COMMENT ON COLUMN notice.provider_id IS 'Whose office it goes to; NULL for the person';
ALTER TABLE webhook_message ADD COLUMN defects_of text;
COMMENT ON COLUMN webhook_message.defects_of IS 'The returned claim whose defects it names';
