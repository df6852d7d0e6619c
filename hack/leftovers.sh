#!/bin/bash
# Runs tests of nodes and fails if they leave something on this machine: processes, mounts, namespaces, links, packet rules,
# cgroups, temporary folders. Containers keep their cgroups, which are called by the tests' names: other clusters do not count.
set -euo pipefail

traces() {
	ps -eo args= | sed -n 's#^\([^ ]*coracle .*/cn[0-9].*\|/tmp/cn[0-9].*\)$#process \1#p'
	sed 's/^/mount /' /proc/self/mounts
	ls /run/netns 2>/dev/null | sed 's/^/namespace /' || true
	ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/link \1/'
	iptables-save 2>/dev/null | sed -n 's/^-A /rule /p'
	find /sys/fs/cgroup -type d -path '*/coracle-nodes-*' | sed 's/^/cgroup /'
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
