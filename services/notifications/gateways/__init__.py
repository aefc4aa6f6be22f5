"""The outside world of notifications: the mail system and colleges' endpoints."""
