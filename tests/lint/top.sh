#!/bin/sh
# top.sh [ROOT]: the top level is what design and README say, and nothing that a run left behind was checked in.
cd "${1:-.}" || exit 2
found=$(git ls-files | sed 's,/.*,/,' | sort -u | grep -vxE '(\.ci|\.github|preload|hooks|exporter|tests|demo)/|\.[a-z-]+|Makefile|README\.md|LICENSE')
if [ -n "$found" ]; then
	echo "top: does not belong at the top level:"
	echo "$found"
	exit 1
fi
