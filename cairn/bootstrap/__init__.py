"""What must exist on PostgreSQL, Kafka and Temporal before a process starts; every step may be run again."""
