"""Which system calls code may make, per mode: the source of the filters in `python3_cluster_runner/filters`.

ADMIN: everything but `DENIED`; its children add one that takes `ONCE` away, when they have been through it themselves.
RESTRICTED, two that add up: the template's allows `JOB` and `TEMPLATE_ONLY` and nothing else; its children add one that
takes `TEMPLATE_ONLY` away again, because a small filter costs a fork half of what the long list does.

What a job may make the kernel keep for it must be seen by `process-usage.ts`, or bounded per process. What can do neither
is refused in both modes: where no control group counts it, nobody else would.

A rule is `name`, or `(name, condition, …)`; all conditions of one rule must hold. `(argument number, "==", value)`,
`(…, "!=", value)`, `(…, "&", mask, value)`: the argument's bits in the mask are exactly those of the value.
Arguments are compared as 64 bits, and the kernel may take 32 of them: what is refused is compared under a mask.
"""

PROT_WRITE, PROT_EXEC = 2, 4
AF_UNIX = 1
SIGKILL = 9
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER = 1, 4, 22, 36

CLONE_NEW_ANYTHING = (
    0x00000080,  # CLONE_NEWTIME
    0x00020000,  # CLONE_NEWNS
    0x02000000,  # CLONE_NEWCGROUP
    0x04000000,  # CLONE_NEWUTS
    0x08000000,  # CLONE_NEWIPC
    0x10000000,  # CLONE_NEWUSER
    0x20000000,  # CLONE_NEWPID
    0x40000000,  # CLONE_NEWNET
)
MSG_OOB = 1
SENDING_AND_RECEIVING = (
    ("sendto", 3), ("recvfrom", 3), ("sendmsg", 2), ("recvmsg", 2), ("sendmmsg", 3), ("recvmmsg", 3),
)  # fmt: skip
CLONE_PARENT = 0x00008000
CLONE_FILES, CLONE_THREAD, CLOSE_RANGE_UNSHARE = 0x00000400, 0x00010000, 2
# MAP_SHARED or MAP_SHARED_VALIDATE, and MAP_ANONYMOUS: pages that stay when no process has them in its tables.
MAP_SHARED, MAP_ANONYMOUS = 0x01, 0x20
SHARED_ANONYMOUS = MAP_SHARED | MAP_ANONYMOUS
SOL_SOCKET = 1
# SO_SNDBUF, SO_ATTACH_FILTER, SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF:
# how much a Unix socket keeps unread, and programs that the kernel keeps with a socket.
SOCKET_MEMORY = (7, 26, 32, 33, 50, 51, 52)
LANDLOCK = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
S_ISUID, S_ISGID = 0o4000, 0o2000
CHANGES_OF_MODE = (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("fchmodat2", 2))
CLONE_ANY_FLAG_BUT_FORKS = 0xFEDFFF00  # fork(2) of C libraries: a signal, CLONE_CHILD_SETTID, CLONE_CHILD_CLEARTID

# Programs take these for "this kernel does not have it", and go another way: fork's older call, files instead of memfds.
# Watching files tells their names, and neither Landlock nor a folder's right to be listed by its own user keeps it to the slot.
# Pages given to a pipe stay there when their process has let go of them, a whole huge page for each.
NOT_THERE = (
    "clone3", "memfd_create", "memfd_secret", "inotify_init", "inotify_init1", "io_setup", "vmsplice", "splice", "tee",
)  # fmt: skip
# Calls that came later than this table: nobody has looked at what they keep, or which rule of it they go past.
FIRST_UNKNOWN = 463

DENIED = (
    # Other processes' memory, descriptors and state.
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
    "move_pages", "migrate_pages",
    # Keys, and memory and messages that outlive a process or are counted for none.
    "keyctl", "add_key", "request_key",
    "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl",
    "msgget", "msgsnd", "msgrcv", "msgctl",
    "mq_open", "mq_unlink", "mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr",
    ("mmap", (3, "&", SHARED_ANONYMOUS, SHARED_ANONYMOUS)),
    *(("setsockopt", (1, "&", 0xFFFFFFFF, SOL_SOCKET), (2, "&", 0xFFFFFFFF, option)) for option in SOCKET_MEMORY),
    # Threads of a process have one table of descriptors, so that looking at one of them is looking at all.
    ("clone", (0, "&", CLONE_THREAD | CLONE_FILES, CLONE_THREAD)),
    ("close_range", (2, "&", CLOSE_RANGE_UNSHARE, CLOSE_RANGE_UNSHARE)),
    # Large surfaces of the kernel that jobs have no use for.
    "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
    "fanotify_init", "fanotify_mark", "lookup_dcookie", "modify_ldt", "vm86", "vm86old", "uselib", "personality",
    # Namespaces and mounts.
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "unshare", "setns",
    *(("clone", (0, "&", flag, flag)) for flag in CLONE_NEW_ANYTHING),
    # Files by handle go past every path that Landlock knows.
    "open_by_handle_at", "name_to_handle_at",
    # The machine.
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "stime", "acct", "quotactl", "quotactl_fd", "syslog",
    "vhangup", "iopl", "ioperm", "nfsservctl", "sethostname", "setdomainname",
    # A process beside the job, not below it: nobody would count its time and memory, and what it used would be another's.
    ("clone", (0, "&", CLONE_PARENT, CLONE_PARENT)), ("prctl", (0, "==", PR_SET_CHILD_SUBREAPER), (1, "==", 0)),
    # Files that run as their owner: Landlock does not ask who changes a file's mode.
    *((name, (number, "&", bit, bit)) for name, number in CHANGES_OF_MODE for bit in (S_ISUID, S_ISGID)),
    # Limits and priorities of anybody else.
    ("prlimit64", (0, "!=", 0)),
    ("sched_setaffinity", (0, "!=", 0)), ("sched_setscheduler", (0, "!=", 0)), ("sched_setparam", (0, "!=", 0)),
    ("sched_setattr", (0, "!=", 0)), ("setpriority", (0, "!=", 0)), ("setpriority", (1, "!=", 0)),
    ("ioprio_set", (0, "!=", 1)), ("ioprio_set", (1, "!=", 0)),
    # Attributes and flags of a folder stay when it is emptied: what one job left there, the next one would find, or trip over.
    "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    *(("ioctl", (1, "&", 0xFFFFFFFF, request)) for request in (0x40086602, 0x401C5820, 0x800C6613)),
    # F_SETPIPE_SZ, of the slot's pipes; F_NOTIFY, which watches folders
    *(("fcntl", (1, "&", 0xFFFFFFFF, command)) for command in (1031, 1026)),
    # Urgent data, which nobody sends any more, and which for Unix sockets had bugs that gave the kernel away.
    *((name, (number, "&", MSG_OOB, MSG_OOB)) for name, number in SENDING_AND_RECEIVING),
    # Typing into a terminal: TIOCSTI, TIOCLINUX.
    ("ioctl", (1, "&", 0xFFFFFFFF, 0x5412)), ("ioctl", (1, "&", 0xFFFFFFFF, 0x541C)),
    # Address families that reach other machines, the host or the kernel's cryptography past what is expected of a
    # network: KEY, RDS, TIPC, ALG, VSOCK, XDP.
    *(("socket", (0, "&", 0xFFFFFFFF, family)) for family in (15, 21, 30, 38, 40, 44)),
    # What speaks TCP without being TCP to Landlock, which keeps ports: SMC and Multipath TCP.
    ("socket", (0, "&", 0xFFFFFFFF, 43)), ("socket", (2, "&", 0xFFFFFFFF, 262)),
)  # fmt: skip

JOB = (
    # Its own memory. Code may come from a file (extension modules are imported late), but never be written and run.
    "brk", "munmap", "mremap", "madvise", "msync",
    *(
        ("mmap", (2, "&", *protection), (3, "&", SHARED_ANONYMOUS, kind))
        for protection in ((PROT_EXEC, 0), (PROT_EXEC | PROT_WRITE, PROT_EXEC))
        for kind in (0, MAP_SHARED, MAP_ANONYMOUS)
    ),
    ("mprotect", (2, "&", PROT_EXEC, 0)),
    # Its own end, signals and time.
    "exit", "exit_group", "restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack", "pause", "alarm", "getitimer", "setitimer",
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time", "times",
    "futex", "set_robust_list", "get_robust_list", "rseq", "set_tid_address", "sched_yield", "getcpu",
    # Who and where it is. Waiting for children it cannot have is how a kept child proves that it has none.
    "getpid", "gettid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "geteuid", "getgid", "getegid",
    "getresuid", "getresgid", "getgroups", "uname", "sysinfo", "getrusage", "getrandom", "getpriority",
    "sched_getaffinity", "getrlimit", "setrlimit", ("prlimit64", (0, "==", 0)), "wait4", "waitid",
    # Files, where Landlock lets it. It knows nothing of modes, owners and times, so those stay as they are.
    "open", "openat", "openat2", "close", "close_range", "read", "readv", "pread64", "preadv", "write", "writev",
    "pwrite64", "pwritev", "lseek", "dup", "dup2", "dup3", "fstat", "stat", "lstat", "newfstatat", "statx", "statfs",
    "fstatfs", "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents", "getdents64", "getcwd",
    "chdir", "fchdir", "umask", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "truncate", "ftruncate", "fsync", "fdatasync", "flock", "fadvise64",
    # No locks of parts of files: each is memory of the kernel's, as many as there are bytes.
    *(("fcntl", (1, "==", command)) for command in (0, 1, 2, 3, 4, 1030)),
    # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
    *(("ioctl", (1, "==", request)) for request in (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)),
    "select", "pselect6", "poll", "ppoll",
    # Its job channel, which is connected already; no flags, of which urgent data (MSG_OOB) had the kernel's worst bugs.
    ("recvfrom", (3, "==", 0)), ("sendto", (3, "==", 0)),
    # Once more by a kept child: that it dies with its template.
    ("prctl", (0, "==", PR_SET_PDEATHSIG), (1, "==", SIGKILL)),
)  # fmt: skip

# What template and children need until they have entered Landlock; a ruleset holds as many rules as there are files.
ONCE = LANDLOCK

TEMPLATE_ONLY = (
    *ONCE,
    ("clone", (0, "&", CLONE_ANY_FLAG_BUT_FORKS, 0)),
    "kill", "setsid", "connect", ("socket", (0, "==", AF_UNIX)),
    # A child becomes its workspace's user; one that empties a workspace opens what was closed to it.
    "setgroups", "setresgid", "setresuid", "capset", "chmod", "fchmodat",
    *(("prctl", (0, "==", option)) for option in (PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER)),
)  # fmt: skip

# The inverse of TEMPLATE_ONLY, on top of it.
CHILD_DENIED = (
    *ONCE,
    "clone", "kill", "setsid", "connect", "socket",
    "setgroups", "setresgid", "setresuid", "capset", "chmod", "fchmodat",
    ("prctl", (0, "!=", PR_SET_PDEATHSIG)),
)  # fmt: skip
