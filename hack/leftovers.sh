#!/bin/bash
# Runs a command and fails if it leaves something on this machine: processes of nodes, mounts, namespaces, links, packet rules,
# cgroups, temporary folders.
set -euo pipefail

traces() {
	ps -eo args= | sed -n 's/^\(machine-[a-z0-9-]*\|[^ ]*\/coracle\|[^ ]*containerd-shim[^ ]*\|\/pause\|\/web\)\( .*\)\?$/process \1/p'
	sed 's/^/mount /' /proc/self/mounts
	ls /run/netns 2>/dev/null | sed 's/^/namespace /' || true
	ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
	iptables-save 2>/dev/null | sed -n 's/^-A /rule /p'
	find /sys/fs/cgroup -type d -path '*coracle-*' | sed 's/^/cgroup /'
	find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'cn[0-9]*' | sed 's/^/folder /'
}

before=$(traces | sort)
code=0
"$@" || code=$?
left=$(comm -13 <(echo "$before") <(traces | sort))
if [ -n "$left" ]; then
	echo "left behind, if nothing else was started meanwhile:"
	echo "$left"
	exit 1
fi
exit $code
