"""Many processes on one file while its owners are killed: share_kill.py SECONDS [PROCESSES].

Half of the processes enqueue in a loop, two fifths are workers, the rest looks on. Every few seconds
whoever owns the file gets a SIGKILL. Afterwards a ledger kept outside of Queuack must agree with the
store: every id that was reported is done; what was reported as done did not start again; and no
process failed but those that were killed. Prints one line of figures; exits 1 if one of that is not so.
"""
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

QUEUACK = os.environ["QUEUACK"]
STORE = os.path.abspath(os.environ["QUEUACK_DB"])
LEDGER = os.path.join(os.path.dirname(STORE), "ledger")
SECONDS = float(sys.argv[1])
PROCESSES = int(sys.argv[2]) if len(sys.argv) > 2 else 50

lock = threading.Lock()
stop = threading.Event()
running = {}  # pid: is it a worker?
killed = set()
problems = []
reported = []
counts = {"enqueue": 0, "look": 0, "kills": 0}
gaps = []
ledger = os.open(LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def write(event, job):
    os.write(ledger, f"{event} {job}\n".encode())
    os.fdatasync(ledger)


def call(arguments, worker=False):
    """Runs the program; None if it was killed, else its output. A failure is a problem."""
    child = subprocess.Popen([QUEUACK, *arguments], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with lock:
        running[child.pid] = worker
    ended = young = False
    born = time.monotonic()
    if worker:
        while child.poll() is None and not stop.wait(0.1):
            pass
        if child.poll() is None:
            young = time.monotonic() - born < 5
            child.terminate()
            ended = True
    try:
        out, err = child.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        problems.append(f"hangs: {arguments}")
        child.kill()
        out, err = child.communicate()
    with lock:
        running.pop(child.pid, None)
        was_killed = child.pid in killed
    if was_killed:
        return None
    if ended and child.returncode == 130:  # told to end before it had begun
        return out
    if young and child.returncode == -signal.SIGTERM:  # even before it listened
        return out
    if child.returncode != 0:
        problems.append(f"{arguments[:3]} exit {child.returncode}: {err.strip()[-300:]}")
        return None
    return out


def enqueue():
    while not stop.is_set():
        out = call(["enqueue", "--quiet", "--max-attempts", "5", "--max-lost", "1000", "--", "sh",
                    "-c", 'echo "S $QUEUACK_JOB_ID" >>"$0"', LEDGER])
        if out:
            job = out.strip()
            write("E", job)
            with lock:
                reported.append(job)
                counts["enqueue"] += 1


def work():
    while not stop.is_set():
        call(["worker", "-j", "2", "--quiet"], worker=True)


def look(number):
    while not stop.is_set():
        with lock:
            job = random.choice(reported[-50:]) if reported else None
        if job and number % 2 == 0:
            if call(["jobs", "wait", "--timeout", "60s", "--quiet", job]) is not None:
                write("D", job)
        elif number % 4 == 1:
            call(["sql", "--json", "SELECT count(*) AS n FROM jobs WHERE status = 'done'"])
        else:
            call(["stats", "--json"])
        with lock:
            counts["look"] += 1


def owner():
    try:
        with open(STORE + ".lock", encoding="ascii") as file:
            return int(file.read() or 0)
    except (OSError, ValueError):
        return 0


def kill_owners():
    while not stop.wait(random.uniform(1.0, 3.0)):
        pid = owner()
        with lock:
            if pid not in running:
                continue
            killed.add(pid)
            counts["kills"] += 1
        os.kill(pid, signal.SIGKILL)
        begin = time.monotonic()
        if call(["stats", "--json"]) is not None:
            gaps.append(time.monotonic() - begin)


def judge():
    rows = json.loads(call(["sql", "--json", "SELECT id, status FROM jobs"]))
    done = {row["id"] for row in rows if row["status"] == "done"}
    for job in reported:
        if job not in done:
            problems.append(f"{job} was reported and is not done")
    ended, starts, again = set(), 0, 0
    with open(LEDGER, encoding="ascii") as file:
        for line in file:
            event, job = line.split()
            if event == "D":
                ended.add(job)
            elif event == "S":
                starts += 1
                again += job in ended
    if again:
        problems.append(f"{again} jobs ran again after they were done")
    return len(done), starts, len(ended)


def main():
    enqueuers, workers = PROCESSES // 2, PROCESSES * 2 // 5
    threads = [threading.Thread(target=enqueue) for _ in range(enqueuers)]
    threads += [threading.Thread(target=work) for _ in range(workers)]
    threads += [threading.Thread(target=look, args=(i,))
                for i in range(PROCESSES - enqueuers - workers)]
    threads.append(threading.Thread(target=kill_owners))
    for thread in threads:
        thread.start()
    time.sleep(SECONDS)  # the length of the experiment
    stop.set()
    for thread in threads:
        thread.join()
    call(["worker", "-j", "4", "--drain", "--quiet"])
    done, starts, waited = judge()
    gaps.sort()
    print(f"{counts['enqueue']} reported, {done} done, {starts} starts, {waited} seen to end, "
          f"{counts['look']} looks, {counts['kills']} owners killed, slowest call after a kill "
          f"{gaps[-1] if gaps else 0:.2f} s, {len(problems)} problems")
    for problem in problems[:10]:
        print("#", problem)
    return 1 if problems or not counts["enqueue"] or not counts["kills"] else 0


sys.exit(main())
