#!/usr/bin/env bash
# gRPC in C++ and in Python, each client against each server, in the clear and inside TLS: a CLIENT and a SERVER span for each
# call, the one the other's parent; the server reads the context once.
. "$(dirname "$0")/lib.sh"
python=/usr/bin/python3
need jq openssl $python
$python -c 'import grpc' 2>/dev/null || skip "python3-grpcio is not installed"
here=$top/tests/integration/snippets
pair=$here/grpc_pair.py
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout "$work/key.pem" -out "$work/cert.pem" \
	-addext "subjectAltName=DNS:localhost,IP:127.0.0.1" 2>/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
ends=python
if g++ -O0 -Wl,--copy-dt-needed-entries -o "$work/end" "$here/grpc_end.cc" -lgrpc++ -lgrpc -lgpr 2>"$work/g++.log"; then
	ends="cpp python"
else
	echo "left out: libgrpc++-dev is not installed"
fi

count=20
declare -A at
for way in clear tls; do
	pem=() front=()
	[ $way = tls ] && pem=("$work/both.pem") front=(env PEM="$work/both.pem")
	for end in $ends; do
		at[$end.$way]=$(free_port)
		if [ "$end" = cpp ]; then
			start_traced "cpp-$way" "$work/end" server "127.0.0.1:${at[$end.$way]}" ${pem[@]+"${pem[@]}"}
		else
			start_traced "python-$way" ${front[@]+"${front[@]}"} $python "$pair" server "${at[$end.$way]}"
		fi
		wait_port "${at[$end.$way]}" || { cat "$work/$end-$way.log"; exit 1; }
	done
done
good=0 cells=0
for way in clear tls; do
	pem=() front=()
	[ $way = tls ] && pem=("$work/both.pem") front=(env PEM="$work/both.pem")
	for client in $ends; do
		for server in $ends; do
			cells=$((cells + 1))
			: >"$spans"
			target=127.0.0.1:${at[$server.$way]}
			if [ "$client" = cpp ]; then
				traced client "$work/end" client "$target" $count ${pem[@]+"${pem[@]}"} >"$work/seen" 2>&1
			else
				traced client ${front[@]+"${front[@]}"} $python "$pair" client "$target" $(yes echo | head -n $count) 2>&1 |
					sed 's/^echo //' >"$work/seen"
			fi
			wait_spans $((2 * count))
			sleep 0.1
			name="$client to $server, $way"
			before=$failures
			expect "$name: spans, pairs" "$((2 * count)) $count" "$(flat "$spans" | jq -rs '(map({key: .span, value: .}) | from_entries) as $by
				| "\(length) \(map(select(.kind == 2 and $by[.parent].kind == 3 and .trace == $by[.parent].trace
					and .a["rpc.status_code"] == "OK" and (.a["rpc.method"] | endswith("/Echo")))) | length)"')"
			flat "$spans" | jq -r 'select(.kind == 3) | "00-\(.trace)-\(.span)-03"' | sort >"$work/told"
			expect "$name: what the server read is what was exported" "$count $count" \
				"$(wc -l <"$work/seen") $(sort "$work/seen" | comm -12 - "$work/told" | wc -l)"
			good=$((good + (failures == before)))
		done
	done
done
echo "$good of $cells pairs are right"
finish
