"""Outside parties of Cairn, written against its public doors alone: no module of Cairn is imported here."""
