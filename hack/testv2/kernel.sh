#!/usr/bin/env bash
# Fetches a Debian kernel and unpacks it in WORK/kernel: kernel.sh WORK
set -euo pipefail
work=$1
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
