"""Puts Queuack's figures beside its peers' of the same run.

Usage: compare.py QUEUACK.json PEERS.tsv [OUT.json]

Prints a table of ratios, above 1 where Queuack is better; writes both as JSON when asked to.
"""

import json
import sys

METRICS = ["enqueue_one_per_s", "enqueue_bulk_per_s", "process_per_s", "idle_start_p50_ms",
           "idle_start_p99_ms"]


def read_peers(path):
    peers = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            peer, metric, value = line.rstrip("\n").split("\t")
            peers.setdefault(peer, {})[metric] = float(value)
    return peers


def ratio(metric, ours, theirs):
    return theirs / ours if metric.endswith("_ms") else ours / theirs


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        ours = json.load(file)
    peers = read_peers(sys.argv[2])
    ratios = {}
    print(f"\n{'metric':<20} {'queuack':>12}", *(f"{peer:>24}" for peer in peers))
    for metric in METRICS:
        if metric not in ours:
            continue
        cells = []
        for peer, values in peers.items():
            if metric not in values:
                cells.append(f"{'-':>24}")
                continue
            factor = ratio(metric, ours[metric], values[metric])
            ratios[f"{metric}_vs_{peer}"] = round(factor, 3)
            cells.append(f"{values[metric]:>14,.1f} {factor:>8,.2f}x")
        print(f"{metric:<20} {ours[metric]:>12,.1f}", *cells)
    if len(sys.argv) > 3:
        with open(sys.argv[3], "w", encoding="utf-8") as file:
            json.dump({"queuack": ours, "peers": peers, "ratios": ratios}, file, indent=2)
            file.write("\n")


main()
