#!/bin/sh
# words.sh: no path of anybody's machine in what is checked in.
found=$(git grep -nE '(/work/|/root/|/home/[a-z])' -- . ':!tests/lint/words.sh' ':!tests/fuzz/corpus' ':!LICENSE')
if [ -n "$found" ]; then
	echo "words: paths of a machine:"
	echo "$found"
	exit 1
fi
