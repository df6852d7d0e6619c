#!/bin/sh
# Says in one line what is wrong with the installed Go, if anything is.
want=$(sed -n 's/^go //p' "$(dirname "$0")/../go.mod")
have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//')
if [ -z "$have" ]; then
	echo "Go $want or newer is needed and no go is in the PATH: get it from https://go.dev/dl/ (tar -C /usr/local -xzf go$want.linux-amd64.tar.gz; export PATH=\$PATH:/usr/local/go/bin)" >&2
	exit 1
fi
if [ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" != "$want" ]; then
	echo "Go $want or newer is needed, this is $have: get it from https://go.dev/dl/ (rm -rf /usr/local/go; tar -C /usr/local -xzf go$want.linux-amd64.tar.gz)" >&2
	exit 1
fi
