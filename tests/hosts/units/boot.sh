#!/usr/bin/env bash
# Starts a systemd over an overlay of this machine's files, as root, in new namespaces (unshare --mount --pid --fork --uts --ipc):
#
#   boot.sh BINARY units FOLDER    the units are copied from FOLDER, and all that is written is discarded
#   boot.sh BINARY card FOLDER     FOLDER keeps what is installed and stored, and FOLDER/boot becomes /boot/firmware
#
# Services that would change the shared kernel are masked. BINARY becomes /usr/bin/ribbit.
set -euo pipefail

binary=$1
kind=$2
folder=$3

mount --make-rprivate /
# All writes to the overlay are discarded with this namespace.
stage=$(mktemp --directory)
mount -t tmpfs tmpfs "$stage"
root=$stage/root
mkdir "$stage/upper" "$stage/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$stage/upper,workdir=$stage/work" "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
  touch "$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue" "$root/dev/hugepages"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
for volatile in run tmp var/log; do
  mount -t tmpfs -o mode=755 tmpfs "$root/$volatile"
done
# This machine's own services and their data are hidden.
case $kind in units) kept=$stage/kept ;; card) kept=$folder/kept ;; esac
for hidden in var/lib etc/systemd/system etc/ribbit usr/local; do
  mkdir -p "$kept/$hidden" "$root/$hidden"
  mount --bind "$kept/$hidden" "$root/$hidden"
done
chmod 1777 "$root/tmp"

touch "$root/usr/bin/ribbit"
mount --bind "$binary" "$root/usr/bin/ribbit"
case $kind in
  units) cp -r "$folder/." "$root/etc/systemd/system/" ;;
  card)
    mkdir -p "$root/boot/firmware"
    mount --bind "$folder/boot" "$root/boot/firmware"
    ;;
esac

# Of the machine's own services only the journal runs, because the kernel is shared with the host.
for wanted in "$root"/lib/systemd/system/sysinit.target.wants/* "$root"/lib/systemd/system/local-fs.target.wants/*; do
  name=$(basename "$wanted")
  case $name in
    systemd-journald.service | systemd-tmpfiles-setup.service) ;;
    *) ln -sf /dev/null "$root/etc/systemd/system/$name" ;;
  esac
done
for name in systemd-remount-fs.service systemd-sysctl.service systemd-modules-load.service systemd-udevd.service dbus.socket \
  proc-sys-fs-binfmt_misc.automount systemd-binfmt.service systemd-random-seed.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$name"
done

mkdir -p "$root/old"
cd "$root"
pivot_root . old
umount -l /old
# systemd mounts credentials in a child namespace and propagates them through this mount, which was made private above.
mount --make-rshared /
exec env -i container=ribbit-units PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=basic.target --log-target=journal --show-status=no
