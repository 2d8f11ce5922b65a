#!/usr/bin/env bash
# Prints "-race" where the race detector can be used, and nothing where it
# cannot. It needs cgo, and so a C compiler: on a Debian-like system where that
# alone is missing and the user is root, it is installed.
set -euo pipefail

say() { echo "$*" >&2; }

# The packages of the standard library that a test with -race builds in C.
works() { go build -race runtime/cgo runtime/race >/dev/null 2>&1; }

# apt_gcc installs into a machine, so it says so, and goes no further than root
# may: no sudo.
apt_gcc() {
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
	say "== no C compiler, which go test -race needs: apt-get install gcc libc6-dev"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update >&2 && apt-get -qq install --yes --no-install-recommends gcc libc6-dev >&2
}

if works; then
	echo -race
elif ! command -v "$(go env CC)" >/dev/null && apt_gcc && works; then
	echo -race
else
	say "**************************************************************************"
	say "** NO RACE DETECTOR: the tests run without -race and miss data races.   **"
	say "** It needs CGO_ENABLED=1, a C compiler (Debian: apt-get install gcc    **"
	say "** libc6-dev) and a platform that Go's race detector supports.          **"
	say "**************************************************************************"
fi
