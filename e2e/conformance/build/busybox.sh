#!/bin/sh
# busybox.sh OUT WORK MIRROR: builds BusyBox, static, from Debian's source package.
#
# Tests depend on its shell's words and on environment variables with dots and dashes in their names, which the one of Debian 12
# drops: so it is the version of the release after.
set -eu
out=$1 work=$2 mirror=$3
rm -rf "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
cd "$work"
chmod 755 . lists cache
echo "deb-src $mirror trixie main" > sources.list
# Lists of its own: the machine's are left as they are.
own="-o Dir::Etc::SourceList=$work/sources.list -o Dir::Etc::SourceParts=$work/none -o Dir::State::Lists=$work/lists -o Dir::Cache=$work/cache -o APT::Sandbox::User=root"
mkdir none
# shellcheck disable=SC2086 # a list of words
apt-get $own -qq update
# shellcheck disable=SC2086
apt-get $own -qq source --download-only --only-source busybox
tar xf busybox_*.orig.tar.bz2
cd busybox-1.*/
make defconfig
# tc does not compile with current kernel headers; commands run by the shell must be files, or they could not be replaced.
sed -i 's/^# CONFIG_STATIC is not set/CONFIG_STATIC=y/; s/^CONFIG_TC=y/# CONFIG_TC is not set/; s/.*CONFIG_FEATURE_SH_STANDALONE.*/# CONFIG_FEATURE_SH_STANDALONE is not set/' .config
yes '' | make oldconfig
make -j"$(nproc)"
cp busybox "$out.new"
mv "$out.new" "$out"
