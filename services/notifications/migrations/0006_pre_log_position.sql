-- The place of a message in its provider's log. Given when the log is first looked at, to what is committed then: `position`
-- is given at the insert, and a transaction that commits late would put its message before a cursor already handed out.
ALTER TABLE webhook_message ADD COLUMN log_position bigint;
UPDATE webhook_message SET log_position = position;
CREATE UNIQUE INDEX webhook_message_log ON webhook_message (provider_id, log_position);
CREATE INDEX webhook_message_unlogged ON webhook_message (provider_id, position) WHERE log_position IS NULL;
