#!/usr/bin/env bash
# Two real IRC clients on the chat server: irssi and weechat, each in a tmux window of their own,
# register, join one room, talk in both directions, see NAMES and TOPIC, crash the room and go on.
#
#   examples/chat/tests/clients.sh [path of the chat binary]
#
# Without a path it builds and uses `cargo build --release -p chat`. `CHAT_ADDRESS=host:port` tests
# a server that is already running (and skips what needs `--chaos` when CHAT_CHAOS=no).
# Prints one PASS or FAIL line for each thing seen; exit code 0: all passed, 1: something failed,
# 77: skipped because a client is not installed.
set -u
export LC_ALL=C.UTF-8 TERM=xterm

for tool in irssi weechat tmux; do
    if ! command -v "$tool" >/dev/null; then
        echo "SKIP: $tool is not installed (Debian: apt-get install irssi weechat-curses tmux)"
        exit 77
    fi
done

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/chat-clients.XXXXXX")
socket="$work/tmux.socket"
room="#garden"
failures=0
server_pid=""

tm() { tmux -S "$socket" -f /dev/null "$@"; }

cleanup() {
    # The private tmux server takes its two clients with it; the chat server is ours by its id.
    tm kill-server 2>/dev/null
    if [ -n "$server_pid" ]; then
        kill -TERM "$server_pid" 2>/dev/null
        for _ in $(seq 50); do
            kill -0 "$server_pid" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$server_pid" 2>/dev/null
        wait "$server_pid" 2>/dev/null
    fi
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

pass() { echo "PASS: $1"; }
fail() {
    echo "FAIL: $1"
    failures=$((failures + 1))
    for window in irssi weechat; do
        echo "--- last lines of $window"
        tm capture-pane -p -t "chat:$window" 2>/dev/null | grep -v '^ *$' | tail -n 15
    done
    [ -f "$work/server.log" ] && { echo "--- last lines of the server"; tail -n 15 "$work/server.log"; }
    echo "---"
}

# await SECONDS COMMAND...: until the command succeeds or the time is over.
await() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -ge "$deadline" ] && return 1
        sleep 0.1
    done
}

# Long lines are broken by the window, so the pane is read with its wrapped lines joined.
shows() { tm capture-pane -p -J -t "chat:$1" 2>/dev/null | grep -Eq -- "$2"; }
type_in() { tm send-keys -t "chat:$1" -l -- "$2" && tm send-keys -t "chat:$1" Enter; }

# expect WHAT WINDOW PATTERN: PASS as soon as the window shows the pattern.
expect() {
    if await 10 shows "$2" "$3"; then pass "$1"; else fail "$1 (no /$3/ in $2)"; fi
}

# The inodes of the clients' sockets: a client that reconnected has another one.
connections() {
    local hex
    hex=$(printf '%04X' "$port")
    awk -v port=":$hex" 'index($3, port) == length($3) - 4 && $4 == "01" { print $10 }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort
}
two_connections() { [ "$(connections | wc -l)" -eq 2 ]; }

# --- the server ---------------------------------------------------------------------------------
if [ -n "${CHAT_ADDRESS:-}" ]; then
    address=$CHAT_ADDRESS
else
    chat=${1:-}
    if [ -z "$chat" ]; then
        (cd "$here/.." && cargo build --quiet --release -p chat) || exit 1
        chat=$(cd "$here/.." && cargo metadata --no-deps --format-version 1 |
            sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')/release/chat
    fi
    "$chat" --listen 127.0.0.1:0 --database "$work/chat.db" --chaos >"$work/server.log" 2>&1 &
    server_pid=$!
    announced() { [ -f "$work/server.log" ] && grep -Eom1 '127\.0\.0\.1:[1-9][0-9]*' "$work/server.log" >"$work/address"; }
    if ! await 10 announced; then
        echo "FAIL: the server did not print its address within 10 s"
        cat "$work/server.log"
        exit 1
    fi
    address=$(cat "$work/address")
fi
host=${address%:*}
port=${address##*:}

# --- the clients --------------------------------------------------------------------------------
mkdir -p "$work/irssi" "$work/weechat"
tm new-session -d -s chat -n irssi -x 180 -y 60 \
    "irssi --home='$work/irssi' --connect='$host' --port='$port' --nick=ivy"
tm new-window -d -t chat -n weechat \
    "weechat -d '$work/weechat' -r '/set irc.server_default.nicks wren;/server add chat $host/$port;/set irc.server.chat.ssl off;/set irc.server.chat.tls off;/set weechat.look.prefix_align_max 20;/connect chat'"

expect "irssi registers: it shows the welcome" irssi "Welcome .*ivy"
expect "irssi sees the end of the message of the day" irssi "End of (/)?MOTD|End of message of the day"
await 10 two_connections
type_in weechat "/buffer irc.server.chat"
expect "weechat registers: it shows the welcome" weechat "Welcome .*wren"

type_in irssi "/join $room"
expect "irssi joins $room" irssi "ivy \[.*\] has joined $room"
type_in weechat "/join $room"
expect "weechat joins $room" weechat "wren \(.*\) has joined $room|\[wren\(.*|wren.*has joined $room"
expect "irssi sees weechat join" irssi "wren \[.*\] has joined $room"

type_in irssi "good morning from irssi"
expect "what irssi says reaches weechat" weechat "ivy.*good morning from irssi"
type_in weechat "good morning from weechat"
expect "what weechat says reaches irssi" irssi "wren.*good morning from weechat"

type_in irssi "/names $room"
expect "irssi sees both NAMES" irssi "Total of 2 nicks"
type_in weechat "/names $room"
expect "weechat sees both NAMES" weechat "Nicks $room:.*(ivy.*wren|wren.*ivy)"

type_in irssi "/topic tomatoes and their seasons"
expect "weechat sees irssi set the TOPIC" weechat "ivy.*changed topic.*tomatoes and their seasons|ivy has (set|changed) (the )?topic.*tomatoes"
type_in weechat "/topic $room beans"
expect "irssi sees weechat set the TOPIC" irssi "wren.*changed the topic.*beans"

type_in irssi "/quote PING :are-you-there"
type_in weechat "/msg ivy only for you"
expect "a private message reaches irssi" irssi "(wren|ivy).*only for you|\[Act: .*\]"
type_in irssi "/window goto $room"

if [ "${CHAT_CHAOS:-yes}" = yes ]; then
    connections >"$work/before"
    for round in 1 2 3; do
        crasher=irssi
        [ "$round" -eq 2 ] && crasher=weechat
        type_in "$crasher" "/quote CRASH $room"
        if [ -n "$server_pid" ]; then
            panics() { [ "$(grep -Ec 'panic' "$work/server.log")" -ge "$round" ]; }
            if await 10 panics; then pass "round $round: $crasher crashed $room, the server says so"
            else fail "round $round: no report of the crash in the server's log"; fi
        fi
        type_in irssi "irssi after crash $round"
        expect "round $round: irssi still reaches weechat" weechat "ivy.*irssi after crash $round"
        type_in weechat "weechat after crash $round"
        expect "round $round: weechat still reaches irssi" irssi "wren.*weechat after crash $round"
    done
    connections >"$work/after"
    if [ -s "$work/before" ] && cmp -s "$work/before" "$work/after"; then
        pass "both kept their connection: the same two sockets as before the crashes"
    else
        fail "a client reconnected: sockets $(tr '\n' ' ' <"$work/before")-> $(tr '\n' ' ' <"$work/after")"
    fi
    type_in weechat "/names $room"
    names_twice() { [ "$(tm capture-pane -p -J -t chat:weechat | grep -Ec "Nicks $room:.*(ivy.*wren|wren.*ivy)")" -ge 2 ]; }
    if await 10 names_twice; then pass "after the crashes NAMES still has both"; else fail "NAMES after the crashes"; fi
fi

# History: weechat leaves and comes back, and is shown what was said.
if [ -n "$server_pid" ]; then
    type_in weechat "/part $room"
    expect "irssi sees weechat leave" irssi "wren \[.*\] has left $room"
    type_in irssi "said while weechat was away"
    type_in weechat "/join $room"
    expect "weechat is shown what it missed" weechat "said while weechat was away"
fi

type_in weechat "/quit goodbye all"
expect "irssi sees weechat quit, with the reason" irssi "wren \[.*\] has quit.*goodbye all"

if [ "$failures" -eq 0 ]; then
    echo "PASS: irssi $(irssi --version | awk '{print $2}') and weechat $(weechat --version): all"
else
    echo "FAIL: $failures"
    exit 1
fi
