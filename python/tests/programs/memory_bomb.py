"""Fills memory in small objects until there is none left."""
kept = []
while True:
    kept.append("x" * 1000 + str(len(kept)))
