#!/usr/bin/env bash
# Two clients that others have written on the job queue: greenstalk (Python) and jackd (Node), each
# drives every command of the protocol.
#
#   examples/job_queue/tests/clients.sh [path of the job-queue binary]
#
# Without a path it builds and uses `cargo build --release -p job-queue`. QUEUE_ADDRESS=host:port
# tests a server that is already running, for example a beanstalkd; it should be empty.
# Prints one PASS or FAIL line for each thing seen; exit code 0: all passed, 1: something failed,
# 77: skipped because Python or Node is not installed.
set -u
export LC_ALL=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1

greenstalk=2.1.1
jackd=2.2.2

for tool in python3 node npm; do
    if ! command -v "$tool" >/dev/null; then
        echo "SKIP: $tool is not installed (Debian: apt-get install python3-venv nodejs npm)"
        exit 77
    fi
done

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/job-queue-clients.XXXXXX")
failures=0
server_pid=""

cleanup() {
    if [ -n "$server_pid" ]; then
        kill -KILL "$server_pid" 2>/dev/null
        wait "$server_pid" 2>/dev/null
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- the clients --------------------------------------------------------------------------------
if ! { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet "greenstalk==$greenstalk"; } >"$work/pip.log" 2>&1; then
    echo "FAIL: greenstalk cannot be installed"
    cat "$work/pip.log"
    exit 1
fi
if ! (cd "$work" && npm install --silent --no-audit --no-fund --prefix "$work" "jackd@$jackd") >"$work/npm.log" 2>&1; then
    echo "FAIL: jackd cannot be installed"
    cat "$work/npm.log"
    exit 1
fi

# --- the server ---------------------------------------------------------------------------------
if [ -n "${QUEUE_ADDRESS:-}" ]; then
    address=$QUEUE_ADDRESS
else
    queue=${1:-}
    if [ -z "$queue" ]; then
        (cd "$here/.." && cargo build --quiet --release -p job-queue) || exit 1
        queue=$(cd "$here/.." && cargo metadata --no-deps --format-version 1 |
            sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/job-queue
    fi
    "$queue" -l 127.0.0.1 -p 0 --database "$work/jobs.db" >"$work/server.log" 2>&1 &
    server_pid=$!
    for _ in $(seq 100); do
        address=$(grep -Eom1 '127\.0\.0\.1:[1-9][0-9]*' "$work/server.log") && break
        sleep 0.1
    done
    if [ -z "$address" ]; then
        echo "FAIL: the server did not print its address within 10 s"
        cat "$work/server.log"
        exit 1
    fi
fi
host=${address%:*}
port=${address##*:}

# --- what they do -------------------------------------------------------------------------------
timeout 60 "$work/venv/bin/python" "$here/clients/greenstalk_client.py" "$host" "$port" || failures=$((failures + 1))
NODE_PATH="$work/node_modules" timeout 70 node "$here/clients/jackd_client.js" "$host" "$port" || failures=$((failures + 1))

if [ -n "$server_pid" ]; then
    kill -TERM "$server_pid"
    wait "$server_pid"
    status=$?
    server_pid=""
    if [ "$status" -eq 0 ]; then
        echo "PASS: SIGTERM: the server ended with code 0"
    else
        echo "FAIL: SIGTERM: the server ended with code $status"
        failures=$((failures + 1))
    fi
    if grep -E 'panic' "$work/server.log"; then
        echo "FAIL: somebody panicked"
        failures=$((failures + 1))
    fi
fi

if [ "$failures" -eq 0 ]; then
    echo "PASS: greenstalk $greenstalk and jackd $jackd: all"
else
    [ -f "$work/server.log" ] && { echo "--- last lines of the server"; tail -n 15 "$work/server.log"; }
    echo "FAIL: $failures"
    exit 1
fi
