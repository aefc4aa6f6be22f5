"""Drills: what is promised, tried out on throw-away engines; and the planted faults each drill must notice."""
