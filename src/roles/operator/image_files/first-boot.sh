#!/bin/sh
# Installs ribbit on a board and starts it; written by `ribbit image-files`. It runs at each start of the board, and does nothing once
# the cluster file has left this folder. That is its last step, so a power cut costs nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# Overwrites the cluster file here: everyone who has the card can read this folder.
erase() {
  [ -e "$here/erased" ] || return 0
  dd if=/dev/zero of="$here/erased" bs="$(wc -c <"$here/erased")" count=1 conv=notrunc,fsync 2>/dev/null || true
  rm "$here/erased"
  sync
}
erase
[ -e "$here/cluster.ribbit" ] || exit 0
exec >>"$here/first-boot.log" 2>&1
set -x

# Adds a line to a file, once.
add() {
  grep -qxF -e "$2" "$1" 2>/dev/null || printf '%s\n' "$2" >>"$1"
}

if [ -e "$here/ribbit.deb" ]; then
  dpkg --force-confold --install "$here/ribbit.deb"
else
  unpacked=$(mktemp -d /var/tmp/ribbit.XXXXXX)
  tar -xzf "$here/ribbit.tar.gz" -C "$unpacked"
  "$unpacked"/ribbit-*/install.sh
  rm -r "$unpacked"
fi
mkdir -p /etc/ribbit
if ! [ -e /etc/ribbit/cluster.ribbit ]; then
  install -m 600 "$here/cluster.ribbit" /etc/ribbit/cluster.ribbit.new
  sync
  mv /etc/ribbit/cluster.ribbit.new /etc/ribbit/cluster.ribbit
elif ! cmp -s "$here/cluster.ribbit" /etc/ribbit/cluster.ribbit; then
  echo "/etc/ribbit/cluster.ribbit is another one already, and was not changed"
  exit 1
fi
add /etc/ribbit/web.conf RIBBIT_PUBLIC_KEY=@KEY@
@FOUND@systemctl daemon-reload || true
systemctl enable @UNITS@
sync
mv "$here/cluster.ribbit" "$here/erased"
erase
[ "${1:-}" = later ] || systemctl start --no-block @UNITS@
