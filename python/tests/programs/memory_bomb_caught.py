"""Meets its limit, gives the memory back, and goes on."""
try:
    block = bytearray(10**9)
except MemoryError:
    result = "caught"
