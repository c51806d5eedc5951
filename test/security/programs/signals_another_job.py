import os

result = False
for name in os.listdir("/proc"):
    if name.isdigit() and int(name) != os.getpid():
        try:
            stat = os.read(os.open(f"/proc/{name}/stat", os.O_RDONLY), 4096)
            if int(stat[stat.rindex(b")") + 2 :].split()[1]) == os.getppid():
                os.kill(int(name), 0)
                result = True
        except OSError:
            pass
