#!/bin/sh
# Installs the given Debian packages that are missing, without questions.
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "these packages are needed:$missing (as root: apt-get install$missing)" >&2
	exit 1
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086 # a list of words
{ apt-get install -y --no-install-recommends $missing || { apt-get update && apt-get install -y --no-install-recommends $missing; }; } >"$log" 2>&1 </dev/null || {
	tail -n 5 "$log" >&2
	echo "installing$missing did not work, see $log" >&2
	exit 1
}
rm -f "$log"
