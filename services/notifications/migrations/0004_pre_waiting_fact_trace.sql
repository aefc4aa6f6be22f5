-- A fact that waited is told later, inside another fact's trace: its own conversation has to wait with it.
ALTER TABLE waiting_fact ADD COLUMN traceparent text;
ALTER TABLE waiting_fact ADD COLUMN correlation_id text;
ALTER TABLE waiting_fact ADD COLUMN causation_id text;
