"""Entry point of a template process: `python3 -I -B -u <this directory>`, control channel on descriptor 3.

With the argument `probe` it only tells what isolation there is: `python3_cluster_runner/probe.py`. With `give-users` it gives
users to a namespace: `give_users.py`.

One file, two lives. The process starts as a template and serves forks until it is told to stop; in every process it
forks, `serve` *returns*, so that a child begins with an almost empty stack: nothing of the template (its table of
children, its buffers) is reachable from the frames below the caller's code.
"""

import sys

from python3_cluster_runner import child, give_users, probe, template


def main():
    if sys.argv[1:2] == ["probe"]:
        return probe.run()
    if sys.argv[1:2] == ["give-users"]:
        return give_users.run(*map(int, sys.argv[2:]))
    birth = template.serve_control_channel()
    child.live(birth)


main()
