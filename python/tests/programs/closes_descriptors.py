import os

os.closerange(0, 256)
result = "who hears this?"
