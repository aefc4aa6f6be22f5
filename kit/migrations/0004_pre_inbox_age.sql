-- What was handled long ago is forgotten by age. Rows come in the order of time, so a block range index is enough.
CREATE INDEX inbox_age ON inbox USING brin (handled_at) WITH (pages_per_range = 32);
