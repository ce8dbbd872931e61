"""Times beanstalkd over one loopback connection.

Usage: beanstalk.py PORT JOBS

Waits until the server answers, then puts jobs of 36 bytes one by one, pipelines 1,000 puts at a
time, and reserves and deletes one by one. A job waiting for an idle consumer is timed last. Prints
lines of peer, metric and value between tabs.
"""

import socket
import statistics
import sys
import threading
import time

PUT = b"put 50 0 60 36\r\n" + b"x" * 36 + b"\r\n"


def connect(port, deadline):
    """Connects as soon as the server listens."""
    while True:
        try:
            conn = socket.create_connection(("127.0.0.1", port))
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return conn, conn.makefile("rb")
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def reserve(conn, lines):
    conn.sendall(b"reserve\r\n")
    head = lines.readline().split()
    lines.read(int(head[2]) + 2)
    return head[1]


def delete(conn, lines, job):
    conn.sendall(b"delete " + job + b"\r\n")
    lines.readline()


def put_one_by_one(conn, lines, jobs):
    began = time.perf_counter()
    for _ in range(jobs):
        conn.sendall(PUT)
        lines.readline()
    return jobs / (time.perf_counter() - began)


def put_pipelined(conn, lines, jobs, depth):
    began = time.perf_counter()
    for _ in range(0, jobs, depth):
        conn.sendall(PUT * depth)
        for _ in range(depth):
            lines.readline()
    return jobs / (time.perf_counter() - began)


def consume(conn, lines, jobs):
    began = time.perf_counter()
    for _ in range(jobs):
        delete(conn, lines, reserve(conn, lines))
    return jobs / (time.perf_counter() - began)


def idle_start(port, conn, lines, samples):
    """Milliseconds from before a put until a waiting consumer holds the job."""
    got, times = threading.Semaphore(0), []
    ready = threading.Semaphore(0)

    def consumer():
        own, own_lines = connect(port, time.monotonic() + 5)
        for _ in range(samples):
            ready.release()
            job = reserve(own, own_lines)
            times.append(time.perf_counter())
            delete(own, own_lines, job)
            got.release()

    threading.Thread(target=consumer, daemon=True).start()
    spans = []
    for i in range(samples):
        ready.acquire()
        time.sleep(0.002)  # idle means that nothing else is going on
        began = time.perf_counter()
        conn.sendall(PUT)
        lines.readline()
        got.acquire()
        spans.append((times[i] - began) * 1e3)
    return sorted(spans)


def main():
    port, jobs = int(sys.argv[1]), int(sys.argv[2])
    conn, lines = connect(port, time.monotonic() + 10)

    def row(metric, value):
        print(f"beanstalkd\t{metric}\t{value:.6g}", flush=True)

    one = min(jobs, 2000)
    row("enqueue_one_per_s", put_one_by_one(conn, lines, one))
    row("enqueue_bulk_per_s", put_pipelined(conn, lines, jobs, 1000))
    row("process_per_s", consume(conn, lines, one))
    while True:
        conn.sendall(b"reserve-with-timeout 0\r\n")
        head = lines.readline().split()
        if head[0] == b"TIMED_OUT":
            break
        lines.read(int(head[2]) + 2)
        delete(conn, lines, head[1])
    spans = idle_start(port, conn, lines, 200)
    row("idle_start_p50_ms", statistics.median(spans))
    row("idle_start_p99_ms", spans[int(len(spans) * 0.99)])


main()
