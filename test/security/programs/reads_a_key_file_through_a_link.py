import os

os.symlink(key_file, "link")
result = os.read(os.open("link", os.O_RDONLY), 100) == canary.encode()
