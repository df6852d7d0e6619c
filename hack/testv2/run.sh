#!/usr/bin/env bash
# Boots a machine with cgroup v2 under emulation, no KVM needed, and runs a node on it: hack/testv2/guest.sh is what it does.
set -euo pipefail
cd "$(dirname "$0")/../.."
hack/packages.sh qemu-system-x86 busybox-static iptables
work=$PWD/bin/testv2
mkdir -p "$work"
if ! ls "$work"/kernel/boot/vmlinuz-* >/dev/null 2>&1; then
	package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] || { echo "testv2: there is no package linux-image-cloud-amd64 (apt-get update?)" >&2; exit 1; }
	echo "fetching $package"
	(cd "$work" && apt-get download -q -o APT::Sandbox::User=root "$package" >/dev/null)
	rm -rf "$work/kernel.new"
	dpkg-deb -x "$work/$package"_*.deb "$work/kernel.new"
	mv "$work/kernel.new" "$work/kernel"
fi
go test -c -o "$work/runtime.test" ./e2e/runtime
go run ./hack/image -o "$work/images" >/dev/null
exec go run ./hack/testv2 -work "$work" "$@"
