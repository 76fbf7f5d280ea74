"""The work of a deploy as a person would do it, timed: the floor that codeb is compared with.

    python by_hand.py PORT COMMAND...       each COMMAND is one argument, its words split by spaces

Runs the commands one after the other, asks 127.0.0.1:PORT until it first answers, and prints the
seconds from the beginning. It is run where the containers are, so that no way there is counted.
"""

import http.client
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

LONGEST = 30.0
BETWEEN_LOOKS = 0.001


def by_hand(port: int, commands: Sequence[Sequence[str]]) -> float:
    """Seconds from the first command to the first answer."""
    begin = time.perf_counter()
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    while not answers(port):
        if time.perf_counter() - begin > LONGEST:
            raise TimeoutError(f"127.0.0.1:{port} did not answer within {LONGEST:g} s")
        time.sleep(BETWEEN_LOOKS)
    return time.perf_counter() - begin


def answers(port: int) -> bool:
    """Whether something answers there with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    print(by_hand(int(sys.argv[1]), [shlex.split(each) for each in sys.argv[2:]]))
