#!/bin/bash
# TAGALONG_EXPLAIN: each span tells what gave it its parent. One cell for each answer, of real programs.
. "$(dirname "$0")/lib.sh"
need jq gcc curl nginx /usr/bin/python3
gcc -D_GNU_SOURCE -O1 -o "$work/carried" "$top/tests/integration/snippets/carried.c" -lpthread || exit 1
trace=0af7651916cd43dd8448eb211c80319c

back=$(free_port)
nginx_conf "$work/back" "$back"
background nginx -p "$work/back" -c nginx.conf
wait_port "$back" || exit 1

# told WHAT FILTER WANTED: the evidence of the spans that the filter selects, each once
told() {
	local got
	got=$(flat "$spans" | jq -r "select($2) | .a[\"tagalong.parent.evidence\"] // \"untold\"" | sort -u | paste -sd' ')
	expect "$1" "$3" "$got"
}
ask() { curl -sS -o /dev/null "$@" || bad "asking $*"; }

export TAGALONG_EXPLAIN=true
port=$(free_port)
start_traced threads /usr/bin/python3 "$top/tests/integration/snippets/parents_threads.py" "$port" "$back"
wait_port "$port" || exit 1
ask "http://127.0.0.1:$port/1k"
ask -H "traceparent: 00-$trace-b7ad6b7169203331-01" "http://127.0.0.1:$port/1k"
wait_spans 4
stop_last
told "a request without context" '.kind == 2 and .parent == ""' none
told "a request with context" '.kind == 2 and .parent != ""' header
told "the thread that read the request calls" '.kind == 3' thread

: >"$spans"
port=$(free_port)
nginx_conf "$work/front" "$port" "$back"
start_traced proxy nginx -p "$work/front" -c nginx.conf
wait_port "$port" || exit 1
ask "http://127.0.0.1:$port/1k"
ask -H "traceparent: 00-$trace-b7ad6b7169203331-01" "http://127.0.0.1:$port/1k"
wait_spans 4
stop_last
told "a connection made for the request" ".kind == 3 and .trace != \"$trace\"" connection
told "a proxy passes on the header" ".kind == 3 and .trace == \"$trace\"" header

: >"$spans"
traced carried timeout 30 "$work/carried" || bad "the program fails"
wait_spans 20
told "a thread, a process, a coroutine made in the request" \
	'.kind == 3 and .parent != "" and (.a["url.full"] // "" | test("/(thread|fork|context)/"))' lineage
told "a pool's worker" '.kind == 3 and (.a["url.full"] // "" | test("/pool/"))' none

: >"$spans"
gcc -D_GNU_SOURCE -O1 -Wno-format-truncation -o "$work/task_pipe" "$top/tests/causality/servers/c_task_pipe.c" -lpthread || exit 1
port=$(free_port)
start_traced tasks "$work/task_pipe" "$port" "$back"
wait_port "$port" || exit 1
ask "http://127.0.0.1:$port/r/7/2"
wait_spans 3
stop_last
told "a task whose address went through a pipe" '.kind == 3' handoff

: >"$spans"
TRACEPARENT=00-$trace-b7ad6b7169203331-01 traced call curl -sS -o /dev/null "http://127.0.0.1:$back/1k" || bad "curl"
TRACEPARENT=00-$trace-b7ad6b7169203331-01 TAGALONG_PROCESS_SPANS=true traced process true || bad "true"
traced alone curl -sS -o /dev/null "http://127.0.0.1:$back/1k" || bad "curl"
wait_spans 3
told "the environment's context" '.service == "call"' process
told "the process itself" '.service == "process"' process
told "a call of nobody's" '.service == "alone"' none

: >"$spans"
TAGALONG_EXPLAIN=false traced alone curl -sS -o /dev/null "http://127.0.0.1:$back/1k" || bad "curl"
wait_spans 1
told "not asked for" '.service == "alone"' untold
finish
