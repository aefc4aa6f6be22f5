-- Only now: the release before names this constraint when it buries a record.
ALTER TABLE dead_letter DROP CONSTRAINT dead_letter_consumer_topic_topic_partition_topic_offset_key;
