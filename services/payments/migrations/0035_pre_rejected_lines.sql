-- Lines rejected before have none; the alert's closing ends a line.
ALTER TABLE confirmation_rejected ADD COLUMN alert_id text REFERENCES payment_alert;
CREATE INDEX confirmation_rejected_alert ON confirmation_rejected (alert_id);
