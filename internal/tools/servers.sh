#!/usr/bin/env bash
# Installs redis-server and memcached, which the tests of the network code run,
# where they are missing. Does nothing where they are there.
#
# Debian-like systems: apt-get, as root or through sudo without a password.
# macOS: Homebrew. Elsewhere: says what is missing, and fails.
#
# Debian starts a package's service when it is installed. The tests start their
# own servers, so that is prevented, and undone if it happens all the same; a
# service that was there before is left alone.
set -euo pipefail

say() { echo "$*" >&2; }

missing=()
for program in redis-server memcached; do
	command -v "$program" >/dev/null || missing+=("$program")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

with_brew() {
	local formulae=()
	for program in "${missing[@]}"; do formulae+=("${program%-server}"); done
	say "== ${missing[*]} missing: brew install ${formulae[*]}"
	HOMEBREW_NO_AUTO_UPDATE=1 brew install --quiet "${formulae[@]}" >&2
}

# as_root runs a command as root, or fails at once where that needs a password.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# Asked by Debian's maintainer scripts before they start a service; 101 is no.
policy=/usr/sbin/policy-rc.d
deny_services() {
	[ ! -e "$policy" ] || return 0 # somebody else's, which may allow it: see stop_started
	trap 'as_root rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod 755 "$policy"
}

has_systemd() { [ -d /run/systemd/system ]; }

runs() {
	if has_systemd; then systemctl --quiet is-active "$1"; else service "$1" status; fi >/dev/null 2>&1
}

# stop_started NAME…: stops services that were not running before, and keeps
# them from starting at the next boot.
stop_started() {
	for name in "$@"; do
		if runs "$name"; then as_root service "$name" stop >&2 || true; fi
		if has_systemd; then as_root systemctl --quiet disable "$name" >&2 || true; fi
	done
}

with_apt() {
	say "== ${missing[*]} missing: apt-get install ${missing[*]}"
	local idle=() status=0
	for name in "${missing[@]}"; do runs "$name" || idle+=("$name"); done
	deny_services || return
	# An update that fails may have left lists that are good enough.
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2 || true
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${missing[@]}" >&2 || status=1
	[ "${#idle[@]}" = 0 ] || stop_started "${idle[@]}"
	return "$status"
}

failed=
if [ "$(uname)" = Darwin ] && command -v brew >/dev/null; then
	with_brew || failed=1
elif command -v apt-get >/dev/null && as_root true 2>/dev/null; then
	with_apt || failed=1
else
	failed=1
fi

hash -r
for program in "${missing[@]}"; do
	command -v "$program" >/dev/null || failed=1
done
if [ -n "$failed" ]; then
	say "servers.sh: ${missing[*]}: not found, and could not be installed here."
	say "Debian, Ubuntu (as root):  apt-get install redis-server memcached"
	say "macOS (Homebrew):          brew install redis memcached"
	say "Elsewhere: install Redis 7 or later and memcached 1.6 or later, on the PATH."
	exit 1
fi
