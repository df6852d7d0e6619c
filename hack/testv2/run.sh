#!/usr/bin/env bash
# Boots a machine with cgroup v2 under emulation, no KVM needed, and runs a node on it: hack/testv2/guest.sh is what it does.
set -euo pipefail
cd "$(dirname "$0")/../.."
hack/packages.sh qemu-system-x86 busybox-static iptables
work=$PWD/bin/testv2
hack/testv2/kernel.sh "$work"
go test -c -o "$work/runtime.test" ./e2e/runtime
go run ./hack/image -o "$work/images" >/dev/null
exec go run ./hack/testv2 -work "$work" "$@"
