# exports.awk - the names our hooks export: every WRAP(name) row of the X-lists in hooks/*.c.
# With -v map=1 as a linker version script, else one name a line.
{
	line = $0
	if (line ~ /define SYMBOLS\(WRAP, *CALL\)/)
		list = 1
	if (list) {
		sub(/define SYMBOLS\(WRAP, *CALL\)/, "", line)
		while (match(line, /WRAP\([A-Za-z_0-9]+\)/)) {
			name[substr(line, RSTART + 5, RLENGTH - 6)] = 1
			line = substr(line, RSTART + RLENGTH)
		}
		if ($0 !~ /\\[ \t]*$/)
			list = 0
	}
}
END {
	sort = map ? "cat" : "sort"
	if (map)
		print "{\nglobal:"
	for (n in name)
		print (map ? "\t" n ";" : n) | sort
	close(sort)
	if (map)
		print "local:\n\t*;\n};"
}
