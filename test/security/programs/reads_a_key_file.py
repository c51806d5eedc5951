import os

result = os.read(os.open(key_file, os.O_RDONLY), 100) == canary.encode()
