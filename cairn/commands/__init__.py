"""The commands, by what they act on. Each module registers its own."""
