"""Run commands from a small process, and tell what each took: JSON in, JSON out.

The standard library's start-up files are not read (``python -I -S``), so that this process stays
smaller than whatever it starts.
"""

import json
import os
import sys
import tempfile


def run(words):
    """Run one command; return its exit code, CPU seconds, peak bytes and last words."""
    with tempfile.TemporaryFile() as said:
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, said.fileno(), 1),
            (os.POSIX_SPAWN_DUP2, said.fileno(), 2),
        ]
        child = os.posix_spawnp(words[0], words, os.environ, file_actions=actions)
        _, status, used = os.wait4(child, 0)
        said.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "cpu": used.ru_utime + used.ru_stime,
            "memory": used.ru_maxrss * 1024,
            "said": said.read()[-500:].decode(errors="replace"),
        }


def main():
    """Read the job, run it in rounds, write what was found."""
    job = json.load(sys.stdin)
    found = [[] for _ in job["commands"]]
    for _ in range(job["rounds"]):
        for words, runs in zip(job["commands"], found):  # noqa: B905  equal by construction
            runs.append(run(words))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
