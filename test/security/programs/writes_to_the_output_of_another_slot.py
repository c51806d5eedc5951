import os

result = os.write(os.open(other_stdout, os.O_WRONLY | os.O_NONBLOCK), b"forged\n") > 0
