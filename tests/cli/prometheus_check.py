#!/usr/bin/env python3
"""Reads Prometheus' exposition format 0.0.4, strictly, and prints it as one JSON object.

prometheus_check.py FILE: {"name{label=\"value\"}": number}. Any departure from the format is an
error that names the line: samples without HELP and TYPE before them, families that are torn apart,
names or labels that are not allowed, samples given twice, counters that are negative or not called
_total, histograms whose buckets are not cumulative, not sorted, or do not end in +Inf and the count.
"""
import json
import math
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"'
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|Inf)|NaN"
HELP = re.compile(rf"# HELP ({NAME}) (\S.*)")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge|histogram|summary|untyped)")
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ({NUMBER})")
TYPES_OF = {"histogram": ("_bucket", "_sum", "_count")}


class Wrong(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Wrong(text)


def labels_of(text):
    pairs = re.findall(rf"({LABEL})", text or "")
    names = [pair.split("=", 1)[0] for pair in pairs]
    need(len(set(names)) == len(names), "a label is given twice")
    return dict(json.loads('["%s",%s]' % tuple(pair.split("=", 1))) for pair in pairs)


def check_histogram(name, samples):
    buckets, rest = [], {}
    for sample, labels, value in samples:
        if sample == name + "_bucket":
            need(set(labels) == {"le"}, "a bucket has the label le")
            buckets.append((float(labels["le"].replace("Inf", "inf")), value))
        else:
            need(not labels, "sum and count have no label")
            rest[sample] = value
    bounds = [bound for bound, _ in buckets]
    counts = [count for _, count in buckets]
    need(set(rest) == {name + "_sum", name + "_count"}, "a histogram has sum and count")
    need(bounds == sorted(set(bounds)), "bounds rise")
    need(counts == sorted(counts), "buckets are cumulative")
    need(bounds and bounds[-1] == math.inf, "the last bucket is +Inf")
    need(counts[-1] == rest[name + "_count"], "+Inf holds the count")
    need(rest[name + "_sum"] >= 0, "a sum of times is not negative")


def check_family(name, kind, samples):
    need(samples, f"{name} has no samples")
    if kind == "histogram":
        check_histogram(name, samples)
    for _, _, value in samples:
        need(not math.isnan(value), f"{name} is not a number")
        if kind == "counter":
            need(name.endswith("_total"), "a counter's name ends in _total")
            need(value >= 0 and value == int(value), "a counter counts")


def belongs(sample, name, kind):
    return sample in [name + suffix for suffix in TYPES_OF.get(kind, ("",))]


def parse(text):
    need(text.endswith("\n"), "the last line ends in a newline")
    need(not text.endswith("\n\n"), "no empty lines")
    values, families = {}, set()
    name = helped = kind = None
    samples = []
    for number, line in enumerate(text[:-1].split("\n"), 1):
        try:
            if match := HELP.fullmatch(line):
                if name:
                    check_family(name, kind, samples)
                helped, name, kind, samples = match[1], None, None, []
                need(helped not in families, "the family stands together")
                families.add(helped)
            elif match := TYPE.fullmatch(line):
                need(match[1] == helped and name is None, "TYPE follows its HELP")
                name, kind = match[1], match[2]
            else:
                match = SAMPLE.fullmatch(line)
                need(match, "neither HELP, TYPE nor a sample")
                need(name and belongs(match[1], name, kind), "a sample follows its TYPE")
                labels = labels_of(match[2])
                key = match[1] + (json.dumps(labels, sort_keys=True) if labels else "")
                need(key not in values, "the sample is given twice")
                values[key] = float(match[3].replace("Inf", "inf"))
                samples.append((match[1], labels, values[key]))
        except Wrong as wrong:
            raise Wrong(f"line {number}: {wrong}: {line}") from None
    check_family(name, kind, samples)
    return values


def main():
    try:
        with open(sys.argv[1], encoding="utf-8", newline="") as file:
            print(json.dumps(parse(file.read())))
    except Wrong as wrong:
        print(wrong, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
