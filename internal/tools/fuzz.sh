#!/usr/bin/env bash
# Runs each fuzz target of the main module for the time given, one after the
# other: go test -fuzz takes one target of one package at a time.
set -euo pipefail
time=${1:?usage: fuzz.sh TIME, such as 20s}

# Each list is assigned before it is used, so that a package which does not
# compile ends the script: an error within "for … in $(…)" would pass unseen.
targets=0
packages=$(go list ./...)
for package in $packages; do
	list=$(go test -list '^Fuzz' "$package")
	for target in $(grep '^Fuzz' <<<"$list" || true); do
		echo "== $package $target, $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
		targets=$((targets + 1))
	done
done
[ "$targets" -gt 0 ] || { echo "no fuzz targets found" >&2; exit 1; }
echo "$targets fuzz targets, $time each: nothing found"
