#!/bin/bash
# `tagalong run`: the program must not notice that it is run by something else.
set -u
BUILD=$(realpath "${BUILD:-build}")
tagalong=$BUILD/tagalong
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset LD_PRELOAD OTEL_TRACES_EXPORTER OTEL_BSP_SCHEDULE_DELAY OTEL_RESOURCE_ATTRIBUTES OTEL_EXPORTER_OTLP_HEADERS
export TMPDIR=$dir
failures=0

# A library that does nothing stands in for the real one: this is about `run` alone.
echo 'int tagalong_stand_in;' > stand_in.c
${CC:-gcc} -shared -fPIC -o libtagalong.so stand_in.c || exit 1
export TAGALONG_LIBRARY=$dir/libtagalong.so

same() { # what, expected, found
	if [ "$2" != "$3" ]; then
		printf 'FAILED %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
		failures=$((failures + 1))
	fi
}
contains() { # what, expected part, text
	case $3 in
	*"$2"*) ;;
	*) same "$1" "...$2..." "$3" ;;
	esac
}
status() { "$@" > out 2> err; echo $?; }

# --- exit status
for code in 0 1 7 125 255; do
	same "exit status" $code "$(status "$tagalong" run -- sh -c "exit $code")"
done
same "not found" 127 "$(status "$tagalong" run -- no-such-program)"
contains "not found, message" "tagalong: cannot run no-such-program: No such file" "$(cat err)"
same "a missing path" 127 "$(status "$tagalong" run -- ./none)"
echo text > plain
same "not executable" 126 "$(status "$tagalong" run -- ./plain)"
same "a directory" 126 "$(status "$tagalong" run -- "$dir")"
printf 'echo no first line: $1\n' > bare; chmod +x bare
same "a script without #!" "no first line: x" "$("$tagalong" run -q -- ./bare x)"

# --- wrong use
for wrong in "--bogus" "--sample 2" "--sample nan" "--sample 0x1" "--sample -1" "--sample 1x" "--log loud" \
	"--resource x" "--resource =x" "--protocol smoke" "--propagators b3,what" "--endpoint host:1" "--quiet=1" "--exporter ,"; do
	# shellcheck disable=SC2086
	same "run $wrong" 2 "$(status "$tagalong" run $wrong -- true)"
	contains "run $wrong, message" "tagalong: " "$(cat err)"
done
same "no program" 2 "$(status "$tagalong" run --service x)"
same "--help" 0 "$(status "$tagalong" run --help)"

# --- what passes through
same "stdin" "one two" "$(echo one two | "$tagalong" run -q -- cat)"
same "arguments" "<a b><><*><--quiet><\$x>" "$("$tagalong" run -q -- printf '<%s>' 'a b' '' '*' --quiet '$x')"
same "options of the program without --" "-n" "$("$tagalong" run -q printf '%s' -n)"
same "fd 7" "seven" "$(echo seven 7> /dev/null > seven; "$tagalong" run -q -- sh -c 'cat <&7' 7< seven)"
same "closed stdin" "closed" "$("$tagalong" run -q -- sh -c '[ -e /proc/self/fd/0 ] || echo closed' 0<&-)"
# By the shell's own globbing: a pipeline's descriptors come and go with its children.
list_fds='for fd in /proc/$$/fd/*; do printf "%s " "${fd##*/}"; done'
bare_fds=$(sh -c "$list_fds" < /dev/null)
same "no fd is added" "$bare_fds" "$("$tagalong" run -- sh -c "$list_fds" < /dev/null 2> /dev/null)"
masks='grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status | tr "\n" " "'
same "signal mask and dispositions" "$(sh -c "$masks; :")" "$("$tagalong" run -q -- sh -c "$masks; :")"
# A shell does not pass an ignored SIGCHLD on; python does.
ignoring='
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])'
same "an ignored SIGCHLD stays ignored" "$(python3 -c "$ignoring" grep SigIgn /proc/self/status)" \
	"$(python3 -c "$ignoring" "$tagalong" run -q -- grep SigIgn /proc/self/status)"
same "exit status with an ignored SIGCHLD" 9 "$(timeout 10 python3 -c "$ignoring" "$tagalong" run -q -- sh -c 'exit 9'; echo $?)"

# --- environment
envof() { "$tagalong" run "$@" -- env 2> /dev/null; }
setting() { # expected line, options...
	local line=$1
	shift
	same "run $*" "$line" "$(envof "$@" | grep "^${line%%=*}=")"
}
setting "LD_PRELOAD=$dir/libtagalong.so"
setting "OTEL_BSP_SCHEDULE_DELAY=200"
setting "OTEL_SERVICE_NAME=my shop" --service "my shop"
setting "TAGALONG_FILE=$dir/s.jsonl" --file s.jsonl
setting "OTEL_TRACES_EXPORTER=otlp_file" --file s.jsonl
setting "OTEL_TRACES_EXPORTER=otlp_file,otlp,console" --console --endpoint http://c:1 --file x
setting "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318" --endpoint http://c:4318
setting "OTEL_EXPORTER_OTLP_PROTOCOL=http/json" --protocol http/json
setting "OTEL_EXPORTER_OTLP_HEADERS=a=b%20c,d=e" --header "a=b c" --header d=e
setting "OTEL_RESOURCE_ATTRIBUTES=a=1%2C2,b=3" --resource a=1,2 --resource b=3
setting "OTEL_TRACES_SAMPLER=parentbased_traceidratio" --sample 0.25
setting "OTEL_TRACES_SAMPLER_ARG=0.25" --sample 0.25
setting "OTEL_PROPAGATORS=b3,baggage" --propagators b3,baggage
setting "TAGALONG_PROCESS_SPANS=true" --process-spans
setting "OTEL_LOG_LEVEL=debug" --log debug
setting "TAGALONG_LOG=$dir/l" --log-file l
setting "TAGALONG_INCLUDE=nginx,py*" --include 'nginx,py*'
same "a delay of the user's stays" "OTEL_BSP_SCHEDULE_DELAY=9" "$(OTEL_BSP_SCHEDULE_DELAY=9 envof | grep ^OTEL_BSP)"
same "attributes of the user's stay" "OTEL_RESOURCE_ATTRIBUTES=z=9,a=1" \
	"$(OTEL_RESOURCE_ATTRIBUTES=z=9,a=0 envof --resource a=1 | grep ^OTEL_RES)"
same "--endpoint beats the traces endpoint" "" \
	"$(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x envof --endpoint http://c:1 | grep TRACES_ENDPOINT)"
cp libtagalong.so other.so
same "other preloads stay, behind ours, ours once" "LD_PRELOAD=$dir/libtagalong.so:$dir/other.so" \
	"$(LD_PRELOAD=$dir/other.so:$dir/libtagalong.so envof | grep ^LD_PRELOAD)"
mkdir "with blank" && cp libtagalong.so "with blank/"
same "a blank in the library's path" "" "$(TAGALONG_LIBRARY="$dir/with blank/libtagalong.so" envof | grep ^LD_PRELOAD)"
same "no library: runs all the same" 3 "$(TAGALONG_LIBRARY=/none status "$tagalong" run -- sh -c 'exit 3')"
contains "no library: said" "running without tracing" "$(cat err)"
same "--print-env can be evaluated" "it's \$x" "$(eval "$("$tagalong" run --service "it's \$x" --print-env)"; echo "$OTEL_SERVICE_NAME")"

# --- signals
for signal in TERM INT HUP QUIT USR1 USR2 ALRM; do
	cat > wait.sh <<-'EOF'
		trap "echo got $1; exit 5" "$1"
		echo ready
		n=0
		while [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done
	EOF
	rm -f log; : > log
	# From python, because a shell's background jobs ignore INT and QUIT.
	python3 - "$tagalong" $signal <<-'EOF' > result 2>&1
		import signal, subprocess, sys, time
		name = sys.argv[2]
		p = subprocess.Popen([sys.argv[1], "run", "-q", "--", "bash", "wait.sh", name], stdout=subprocess.PIPE, text=True)
		assert p.stdout.readline() == "ready\n"
		p.send_signal(getattr(signal, "SIG" + name))
		print(p.stdout.read().strip(), p.wait())
	EOF
	same "SIG$signal is forwarded" "got $signal 5" "$(cat result)"
done
for signal in KILL TERM SEGV PIPE INT; do
	same "the program dies of SIG$signal" "-$(kill -l $signal)" "$(python3 -c '
import subprocess, sys
print(subprocess.run([sys.argv[1], "run", "-q", "--", "sh", "-c", "ulimit -c 0; kill -%s $$" % sys.argv[2]]).returncode)' "$tagalong" $signal)"
done
cat > count.py <<'EOF'
import os, signal, sys
if sys.argv[1] == "away":
    os.setsid()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
print("ready", flush=True)
count = 0
# Those that are to come have time; what would come besides is there at once.
while signal.sigtimedwait({signal.SIGINT}, 20 if sys.argv[1] == "here" and count < 5 else 0.7):
    count += 1
    print("got", flush=True)
print("count=%d." % count, flush=True)
EOF
cat > terminal.py <<'EOF'
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "run", "-q", "--", "python3", "count.py", sys.argv[2]])
def until(word):
    text = b""
    while word not in text:
        text += os.read(fd, 1000)
    return text
until(b"ready")
for _ in range(5):
    os.write(fd, b"\x03")
    if sys.argv[2] == "here": # two that wait would be one
        until(b"got")
text = until(b".")
os.waitpid(pid, 0)
print(text.split(b"count=")[1].split(b".")[0].decode())
EOF
same "the terminal's signals arrive" 5 "$(timeout 100 python3 terminal.py "$tagalong" here)"
# As without us: what is no longer in the terminal's session hears nothing of it.
same "the terminal's signals are not passed on besides" 0 "$(timeout 100 python3 terminal.py "$tagalong" away)"
same "stopping and continuing" "stopped continued 4" "$(python3 - "$tagalong" <<'EOF'
import os, signal, sys, time
ready = os.pipe()
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.dup2(ready[1], 1)
    os.execv(sys.argv[1], [sys.argv[1], "run", "-q", "--", "bash", "-c", "echo; sleep 2; exit 4"])
os.read(ready[0], 1)
os.kill(pid, signal.SIGTSTP)
said = []
for options, name in ((os.WUNTRACED, "stopped"), (os.WCONTINUED, "continued")):
    deadline = time.time() + 20
    while time.time() < deadline:
        got, status = os.waitpid(pid, options | os.WNOHANG)
        if got:
            said.append(name if (os.WIFSTOPPED(status) or os.WIFCONTINUED(status)) else "ended")
            break
        time.sleep(0.01)
    if name == "stopped":
        os.kill(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
print(*said, os.WEXITSTATUS(status))
EOF
)"
same "a closed stderr does not change the exit status" 6 "$( (bash -c '"$0" run -- sh -c "sleep 0.2; exit 6"; echo $? >&3' "$tagalong" 2>&1 3>&4 | true) 4>&1)"

# --- the line at the end
report='echo "pid=$$ exe=sh spans=12 exported=12 dropped=0 failed=0 dest=$PWD/s.jsonl" >> "$TAGALONG_STATS"; exit 3'
same "exit status with a summary" 3 "$(status "$tagalong" run -- sh -c "$report")"
same "summary" "tagalong: 12 spans from 1 process to s.jsonl (0 dropped)" "$(cat err)"
same "stdout is the program's own" "" "$(cat out)"
same "--quiet" "" "$("$tagalong" run --quiet -- true 2>&1)"
same "no file is left behind" "" "$(ls "$dir" | grep tagalong-stats)"
if [ "$(id -u)" = 0 ]; then
	cat > drop.py <<-'EOF'
		import os
		os.setgid(65534)
		os.setuid(65534)
		fd = os.open(os.environ["TAGALONG_STATS"], os.O_WRONLY | os.O_APPEND)
		os.write(fd, b"pid=1 exe=p spans=2 exported=2 dropped=0 failed=0 dest=x\n")
	EOF
	same "a program that gives up root can still report" "tagalong: 2 spans from 1 process to x (0 dropped)" \
		"$(TMPDIR=/tmp "$tagalong" run -- python3 - < drop.py 2>&1)"
fi
printf 'void _start(void){__asm__ volatile("mov $60,%%eax; mov $5,%%edi; syscall");for(;;);}' | sed 's/%%/%/g' > static.c
if [ "$(uname -m)" = x86_64 ] && ${CC:-gcc} -nostdlib -static -o static static.c 2> /dev/null; then
	same "a static program runs all the same" 5 "$(status "$tagalong" run -q -- ./static)"
	contains "a static program, message" "./static cannot be traced: statically linked" "$(cat err)"
fi

[ $failures = 0 ] && echo "cli_run: ok"
exit $((failures > 0))
