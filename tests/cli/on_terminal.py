#!/usr/bin/env python3
"""Runs a program on a pseudo-terminal and prints what it wrote there.

on_terminal.py [OPTION]… COLUMNS COMMAND ARG…; the exit code is the command's.

  --rows N                 lines of the terminal (default 24)
  --when TEXT KEYS         once TEXT has appeared, types KEYS (\\n, \\x03 … are understood)
  --resize-when TEXT CxR   once TEXT has appeared, gives the window that size and tells the program

The --when and --resize-when of a command line wait for each other, in their order, each for output
that comes after the one before. Without an answer within the deadline the program is killed and the
exit code is 124.
"""
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

DEADLINE_S = 60


def size(columns, rows):
    return struct.pack("HHHH", rows, columns, 0, 0)


arguments = sys.argv[1:]
rows = 24
steps = []
while arguments[0].startswith("--"):
    option = arguments.pop(0)
    if option == "--rows":
        rows = int(arguments.pop(0))
    else:
        steps.append((option, arguments.pop(0).encode(), arguments.pop(0)))
columns = int(arguments.pop(0))
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, size(columns, rows))
    os.execvp(arguments[0], arguments)
data = b""
seen = 0
end = time.monotonic() + DEADLINE_S
late = False
while True:
    while steps and steps[0][1] in data[seen:]:
        option, text, answer = steps.pop(0)
        seen = data.index(text, seen) + len(text)
        if option == "--when":
            os.write(terminal, answer.encode().decode("unicode_escape").encode("latin-1"))
        else:
            width, height = answer.split("x")
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, size(int(width), int(height)))
    if not select.select([terminal], [], [], max(0, end - time.monotonic()))[0]:
        os.kill(pid, signal.SIGKILL)
        late = True
    try:
        block = os.read(terminal, 65536)
    except OSError:
        break
    if not block:
        break
    data += block
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
sys.exit(124 if late else os.waitstatus_to_exitcode(status))
