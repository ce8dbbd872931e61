# worker --metrics: a file that a strict reader takes, with the right numbers; and worker -v.
. "$(dirname "$0")/lib.sh"

parse() {
    python3 "$HERE/prometheus_check.py" "$1" >"$DIR/out" 2>"$DIR/err"
    status=$?
    out=$(cat "$DIR/out")
    err=$(cat "$DIR/err")
}

# The reader itself: what it must not take.
good=$'# HELP a_total x\n# TYPE a_total counter\na_total 1\n'
histogram=$'# HELP h x\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n'
accepted=0
for text in "$good" "$histogram" "$good$histogram" $'# HELP g x\n# TYPE g gauge\ng{a="\\"\\\\\\n"} -1.5e3\n'; do
    printf %s "$text" >sample
    parse sample
    [ "$status" = 0 ] && accepted=$((accepted + 1))
done
is "the reader takes what is right" "$accepted" 4
rejected=0
while IFS= read -r edit; do
    printf '%s%s' "$good" "$histogram" | sed "$edit" >sample
    parse sample
    [ "$status" = 1 ] && rejected=$((rejected + 1))
done <<'END'
s/^a_total 1/a_total -1/
s/^a_total 1/a_total 1.5/
s/^a_total 1/a_total  1/
s/^a_total 1/a_total 1 /
s/^a_total 1/a_total{b=c} 1/
s/^a_total 1/a_total{b="c",} 1/
s/^a_total 1/a_total{b="\\x"} 1/
s/^a_total 1/a_total{b="c",b="d"} 1/
s/^a_total 1/a-total 1/
s/^a_total 1/a_total one/
s/^a_total 1/a_total 0x1/
s/^a_total 1/&\n&/
s/^a_total 1//
s/a_total/a/
1d
2d
s/h_count 2/h_count 3/
s/le="1"} 1/le="1"} 3/
/+Inf/d
/h_sum/d
s/le="1"/le="x"/
$s/$/\n/
END
is "the reader refuses what is wrong" "$rejected" 22

nasty='a"b\c'
q enqueue --quiet -q "$nasty" -- true >/dev/null
q enqueue --quiet -- false >/dev/null
q enqueue --quiet --max-attempts 2 --backoff 0 -- sh -c '[ -e ok ] || { touch ok; exit 1; }' >/dev/null
for _ in 1 2 3; do q enqueue --quiet -- true >/dev/null; done
run worker --drain -j 2 --metrics m.prom
exits "the worker ran" 1
[ ! -e m.prom.tmp ] && pass "nothing is left beside the file" || fail "nothing is left beside"
parse m.prom
exits "the file is in the format" 0
json "jobs that ended" 'd["queuack_jobs_done_total"] == 4 and d["queuack_jobs_failed_total"] == 1'
json "attempts" 'd["queuack_jobs_claimed_total"] == 6 and d["queuack_jobs_retried_total"] == 1'
json "a histogram of runs and of first claims" 'd["queuack_job_run_seconds_count"] == 6 and
 d["queuack_job_waiting_seconds_count"] == 5 and d["queuack_job_waiting_seconds_sum"] > 0'
json "commits" 'd["queuack_commit_seconds_count"] == d["queuack_commits_total"] > 0 and
 d["queuack_commit_rows_sum"] >= d["queuack_commits_total"]'
json "gauges by queue and status" 'd["queuack_jobs{\"queue\": \"default\", \"status\": \"done\"}"] == 4
 and d["queuack_queue_paused{\"queue\": \"default\"}"] == 0'
json "a queue's name is escaped" 'd["queuack_jobs" + json.dumps({"queue": "a\"b\\c", "status":
 "pending"})] == 1'

run --json -v worker --drain
json "-v --json tells what was measured" 'set(d["metrics"]) == {"enqueued", "claimed", "cancelled",
 "skipped", "commits", "commit_failures", "checkpoints", "backpressure_warnings", "waiting_seconds",
 "run_seconds", "commit_seconds", "commit_rows"}'
q enqueue --quiet -- true >/dev/null
run --json -v worker --drain
json "quantiles rise" 'all(m["count"] >= 1 and 0 < m["p50"] <= m["p90"] <= m["p99"] <= m["max"]
 for m in (d["metrics"][k] for k in ("waiting_seconds", "run_seconds", "commit_seconds")))'
q enqueue --quiet -- true >/dev/null
run worker --drain -v
like "-v tells it to people" "$err" "queuack: commits: half within [0-9.]+ms, 99% within [0-9.]+ms"

q enqueue --quiet -- true >/dev/null
refuses "a file that cannot be written is refused before a job runs" 5 "cannot write the metrics to" \
    worker --drain --metrics no/such/folder/m.prom
ln -s elsewhere link.tmp
refuses "it does not write through a link" 5 "cannot write the metrics to link.tmp" \
    worker --drain --metrics link
[ ! -e elsewhere ] && pass "nothing was written elsewhere" || fail "nothing was written elsewhere"
run --json jobs list --status pending
json "the job still waits" 'len(d) == 2'
finish
