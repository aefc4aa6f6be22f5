"""The outside parties, apart from Cairn."""
