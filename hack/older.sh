#!/bin/bash
# Builds the coracle that upgrades are tested from, the last one at Kubernetes 1.36, and links it as bin/older/coracle. It is kept
# in the user's cache: the first time takes as long as building two Coracles. Without the repository's history there is none, and
# the tests that need it say so.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=3ea190e23471905c561f241038210b3b05f795c4
kept=${XDG_CACHE_HOME:-$HOME/.cache}/coracle-older/$commit

if [ ! -x "$kept/bin/coracle" ]; then
	if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
		echo "no older coracle to upgrade from: this repository's history lacks $commit" >&2
		exit
	fi
	echo "building the older coracle (minutes, once)"
	new=$(mktemp -d "$(mkdir -p "${kept%/*}" && echo "${kept%/*}")/new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	git archive "$commit" | tar -x -C "$new"
	env -u MAKEFLAGS -u MAKELEVEL make -C "$new" build VERSION="${commit::7}"
	# Of all that was unpacked and built, the program alone.
	mkdir -p "$kept/bin"
	mv "$new/bin/coracle" "$kept/bin/coracle"
fi
mkdir -p bin/older
ln -sfn "$kept/bin/coracle" bin/older/coracle
