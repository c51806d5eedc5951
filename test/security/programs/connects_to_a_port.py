import socket

result = socket.create_connection(("127.0.0.1", port), 5) is not None
