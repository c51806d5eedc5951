"""Ordinary programs: what people write. Each sets `result`, the same in both modes."""
