# npm.sh - sourced, behind lib.sh: drivers that Debian has not, from npm's registry, once for all tests. Sets NODE_PATH; says in
# $npm_lacks why not.
npm_lacks="" npm_at=$build/npm
npm_drivers() {
	command -v node >/dev/null || { npm_lacks="node is not installed"; return 1; }
	export NODE_PATH=$npm_at/node_modules:/usr/share/nodejs
	[ -e "$npm_at/complete" ] && return 0
	command -v npm >/dev/null || { npm_lacks="npm is not installed"; return 1; }
	mkdir -p "$npm_at" && echo '{}' >"$npm_at/package.json"
	(cd "$npm_at" && timeout 100 npm install --silent --no-audit --no-fund --no-update-notifier --ignore-scripts --no-package-lock \
		--fetch-retries=0 --fetch-timeout=15000 pg@8 mysql2@3 ioredis@5) >"$work/npm.log" 2>&1 ||
		{ npm_lacks="npm's registry has no drivers for us: $(grep -v '^$' "$work/npm.log" | head -n 1)"; return 1; }
	: >"$npm_at/complete"
}
npm_drivers
export NODE_NO_WARNINGS=1
node_has() { node -e 'require(process.argv[1])' "$1" 2>/dev/null; }
