#!/usr/bin/env bash
# Drives the page by a browser: on a control plane that it fills and, as root, on a node with containers. VIEW_PART=plane and node are
# the halves.
set -euo pipefail
cd "$(dirname "$0")"
command -v npm >/dev/null || { echo "npm is needed (Debian's package npm, or Node.js' own)" >&2; exit 1; }
PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --ignore-scripts --no-audit --no-fund --silent
[ "${VIEW_PART:-plane}" != plane ] || npx playwright test "$@"
[ "${VIEW_PART:-node}" = node ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "not root: logs, terminals, ports and usage were not tried, which take a node"
	exit 0
fi
cd ../..
dir=$(mktemp -d /var/tmp/coracle-view-XXXXXX)
go build -o "$dir.cluster" ./hack/cluster
cluster() { "$dir.cluster" --dir "$dir" --name "${dir##*/}" "$@"; }
tidy() {
	cluster down || true
	rm -rf "$dir" "$dir.cluster"
}
trap tidy EXIT
cluster up --agents 0 --server-flag=--ui --image "$PWD/bin/images/busybox.tar"
VIEW_NODE=1 VIEW_KUBECONFIG=$dir/kubeconfig cluster exec - sh -c "cd '$PWD/view/test' && npx playwright test ${*@Q}"
