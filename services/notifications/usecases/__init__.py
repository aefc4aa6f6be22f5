"""What notifications does, one verb per function."""
