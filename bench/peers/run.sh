#!/bin/bash
# Measures Queuack and durable peers in one run on this machine, and prints the ratios.
#
# Usage: bench/peers/run.sh [--full] [--jobs N] [--bench PROGRAM] [--json FILE]
#
# Peers that are not installed are left out, by name: beanstalkd; PostgreSQL and node with npm for
# graphile-worker; redis-server as well for BullMQ. Node modules go into the temp folder. Every
# server keeps its data there, listens on loopback or a Unix socket only, and ends with the script.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
bench=$here/../../build/release/bench/queuack-bench
jobs=20000
mode=--quick
json=
while [ $# -gt 0 ]; do
    case $1 in
        --full) mode=--full; shift ;;
        --jobs) jobs=$2; shift 2 ;;
        --bench) bench=$2; shift 2 ;;
        --json) json=$2; shift 2 ;;
        *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
[ -x "$bench" ] || { echo "run.sh: $bench is not there: build it or name it with --bench" >&2; exit 2; }

work=$(mktemp -d "${TMPDIR:-/var/tmp}/queuack-peers-XXXXXX")
servers=()
postgres_data=

clean_up() {
    [ -z "$postgres_data" ] || as_postgres "$postgres_bin/pg_ctl" -D "$postgres_data" -m immediate stop >"$work/stop.log" 2>&1 || true
    for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${servers[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean_up EXIT

have() { command -v "$1" >/dev/null; }
skip() { echo "left out: $1: $2 is not installed" >&2; }

# A PostgreSQL server refuses to run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

run_beanstalkd() {
    have beanstalkd || { skip beanstalkd beanstalkd; return; }
    local port
    port=$(free_port)
    mkdir "$work/beanstalkd"
    beanstalkd -l 127.0.0.1 -p "$port" -b "$work/beanstalkd" -f0 &
    servers+=($!)
    python3 "$here/beanstalk.py" "$port" "$jobs" | tee -a "$work/peers.tsv"
}

install_modules() {
    mkdir -p "$work/node"
    (cd "$work/node" && npm install --silent --no-audit --no-fund "$@" >"$work/npm.log" 2>&1) ||
        { echo "left out: npm could not install $*" >&2; return 1; }
}

run_graphile() {
    have node && have npm || { skip graphile-worker "node with npm"; return; }
    postgres_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
    [ -x "$postgres_bin/initdb" ] || { skip graphile-worker PostgreSQL; return; }
    install_modules graphile-worker@0.17.3 pg@8 || return 0
    mkdir "$work/postgres"
    chmod 755 "$work"
    [ "$(id -u)" != 0 ] || chown postgres "$work/postgres"
    as_postgres "$postgres_bin/initdb" -D "$work/postgres/data" -U bench -A trust >"$work/initdb.log"
    as_postgres "$postgres_bin/pg_ctl" -D "$work/postgres/data" -w -l "$work/postgres/log" \
        -o "-k $work/postgres -c listen_addresses= -c max_connections=60" start >"$work/start.log"
    postgres_data=$work/postgres/data
    as_postgres "$postgres_bin/createdb" -h "$work/postgres" -U bench bench
    PEER_MODULES=$work/node PGHOST=$work/postgres PGUSER=bench PGDATABASE=bench \
        node "$here/graphile.mjs" "$jobs" | tee -a "$work/peers.tsv"
}

run_bullmq() {
    have node && have npm || { skip bullmq "node with npm"; return; }
    have redis-server || { skip bullmq redis-server; return; }
    install_modules bullmq@5 || return 0
    mkdir "$work/redis"
    redis-server --port 0 --unixsocket "$work/redis/socket" --dir "$work/redis" --appendonly yes \
        --appendfsync always --maxmemory-policy noeviction --save '' >"$work/redis/log" &
    servers+=($!)
    until redis-cli -s "$work/redis/socket" ping >"$work/redis/ping" 2>&1; do
        kill -0 "${servers[-1]}" || { echo "left out: redis-server did not start" >&2; return; }
    done
    PEER_MODULES=$work/node REDIS_SOCKET=$work/redis/socket node "$here/bullmq.mjs" "$jobs" |
        tee -a "$work/peers.tsv"
}

: >"$work/peers.tsv"
TMPDIR=$work "$bench" "$mode" --only raw,enqueue,process,idle --json "$work/queuack.json"
echo
run_beanstalkd
run_graphile
run_bullmq
python3 "$here/compare.py" "$work/queuack.json" "$work/peers.tsv" ${json:+"$json"}
