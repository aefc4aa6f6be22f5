"""What payments does, one verb per function: load, decide, save, tell."""
