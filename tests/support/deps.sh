#!/bin/sh
# deps.sh PACKAGE...: installs those of Debian's packages that are missing. Starts no daemon. Says what it would need
# when it cannot install.
set -u
missing=
for package in "$@"; do
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)
	[ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
	echo "deps: this is no Debian system; needed are the equivalents of:$missing" >&2
	exit 1
fi
run=
if [ "$(id -u)" != 0 ]; then
	if command -v sudo >/dev/null 2>&1; then
		run="sudo"
	else
		echo "deps: not root and no sudo; please install:$missing" >&2
		exit 1
	fi
fi
echo "deps: installing$missing"
# A package that brings a server must not start it: this machine's ports are none of our business.
guard=/usr/sbin/policy-rc.d
if [ ! -e $guard ]; then
	printf '#!/bin/sh\nexit 101\n' | $run tee $guard >/dev/null && $run chmod 755 $guard
	trap '$run rm -f $guard' EXIT
fi
log=$(mktemp)
try() {
	# shellcheck disable=SC2086
	$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1 </dev/null
}
# An old package list is the usual reason for a failure: once more with a new one.
if ! try; then
	$run apt-get update -q >>"$log" 2>&1 </dev/null
	if ! try; then
		tail -n 20 "$log" >&2
		echo "deps: could not install:$missing" >&2
		rm -f "$log"
		exit 1
	fi
fi
rm -f "$log"
