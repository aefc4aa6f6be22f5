"""What applications does: one verb per function, one transaction each."""
