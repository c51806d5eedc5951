import socket

stranger = socket.socket(socket.AF_UNIX)
stranger.connect(abstract_name.replace("@", chr(0)))
result = True
