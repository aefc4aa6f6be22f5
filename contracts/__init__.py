"""What one part of Cairn may say to another: facts, steps, ids, money. Pydantic and the standard library only."""
