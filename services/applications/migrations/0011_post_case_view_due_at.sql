-- By when somebody must act is worked out when a case is read; nothing writes this column any more.
ALTER TABLE case_view DROP COLUMN due_at;
