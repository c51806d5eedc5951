import os

descriptor = os.open(f"{open_folder}/{os.urandom(8).hex()}", os.O_WRONLY | os.O_CREAT, 0o600)
result = os.write(descriptor, b"x") == 1
