import os

path = f"/dev/shm/python3-cluster-test-{os.urandom(8).hex()}"
descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
result = os.write(descriptor, b"x") == 1
os.unlink(path)
