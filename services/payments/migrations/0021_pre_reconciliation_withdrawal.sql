-- Who took a decision back that waited for its second person. Those taken back before this have no name.
ALTER TABLE reconciliation_act
    ADD COLUMN withdrawn_by text,
    ADD COLUMN withdrawn_at timestamptz,
    ADD CONSTRAINT taken_back_by_somebody CHECK (withdrawn_by IS NULL OR state = 'withdrawn');
