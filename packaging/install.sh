#!/usr/bin/env bash
# Installs ribbit on this machine, from the folder of this script. Needs no network, and starts nothing.
#
#   ./install.sh                   as root: binary, units, completions, manual page, default configuration
#   ./install.sh --uninstall       removes what was installed; data and changed configuration stay
#
#   --root DIR                     another system, such as a mounted card
#   --machine NAME                 what `uname -m` prints on that system, for the card of another board
#
# Nothing is installed before every checksum is verified. Data (/var/lib) are never touched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=/ machine=$(uname -m) uninstall=no
# Checksums and paths of the installed files, for a later version and for --uninstall.
MANIFEST=usr/local/share/ribbit/installed

refuse() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --root | --machine)
      [ $# -ge 2 ] || refuse "$1 needs a value"
      case $1 in --root) root=$2 ;; *) machine=$2 ;; esac
      shift
      ;;
    --uninstall) uninstall=yes ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) refuse "unknown option $1; see --help" ;;
  esac
  shift
done

[ -d "$root" ] || refuse "there is no folder $root"
root=$(cd "$root" && pwd)
root=${root%/}
# Whether this is the running system and not a mounted one.
live=no
if [ -z "$root" ]; then
  live=yes
  [ "$(id -u)" = 0 ] || refuse "this needs root: type \`sudo $0\`"
fi
has_systemd() {
  [ $live = yes ] && [ -d /run/systemd/system ]
}

# The files of an installation, as "SOURCE DESTINATION MODE", the destination without its root.
files() {
  local file name
  printf '%s\n' "bin/$target/ribbit usr/local/bin/ribbit 755"
  printf '%s\n' "completions/ribbit usr/local/share/bash-completion/completions/ribbit 644"
  printf '%s\n' "completions/_ribbit usr/local/share/zsh/site-functions/_ribbit 644"
  printf '%s\n' "completions/ribbit.fish usr/local/share/fish/vendor_completions.d/ribbit.fish 644"
  printf '%s\n' "man/ribbit.1.gz usr/local/share/man/man1/ribbit.1.gz 644"
  for file in "$here"/systemd/*; do
    [ -f "$file" ] || continue
    name=$(basename "$file")
    printf '%s\n' "systemd/$name usr/local/lib/systemd/system/$name 644"
  done
  for file in "$here"/etc/*; do
    [ -f "$file" ] || continue
    name=$(basename "$file")
    printf '%s\n' "etc/$name etc/ribbit/$name 644"
  done
}

# put SOURCE DESTINATION MODE: whole, or not at all.
put() {
  local to=$root/$2
  mkdir -p "$(dirname "$to")"
  if [[ $1 == systemd/* ]]; then
    sed 's#/usr/bin/ribbit#/usr/local/bin/ribbit#g' "$here/$1" >"$to.new"
  else
    cp "$here/$1" "$to.new"
  fi
  chmod "$3" "$to.new"
  mv "$to.new" "$to"
}

checksum() {
  sha256sum <"$1" | cut -d ' ' -f 1
}

install_all() {
  local target source destination mode kept=()
  case $machine in
    aarch64 | arm64) target=aarch64-unknown-linux-musl ;;
    armv7* | armv8l) target=armv7-unknown-linux-musleabihf ;;
    armv6*) target=arm-unknown-linux-musleabihf ;;
    x86_64 | amd64) target=x86_64-unknown-linux-musl ;;
    *) refuse "there is no ribbit for $machine" ;;
  esac
  command -v sha256sum >/dev/null || refuse "sha256sum is missing"
  (cd "$here" && sha256sum --check --strict --quiet SHA256SUMS) ||
    refuse "a file is damaged: copy the archive again; nothing was installed"
  [ -f "$here/bin/$target/ribbit" ] || refuse "this archive has no binary for $machine ($target)"
  if [ $live = yes ] && dpkg-query --show --showformat='${Status}' ribbit 2>/dev/null | grep -q ' installed$'; then
    refuse "the package ribbit is installed as well: type \`apt-get remove ribbit\` first"
  fi

  # Written before the first file, so that an interrupted installation can be uninstalled.
  mkdir -p "$root/$(dirname "$MANIFEST")"
  touch "$root/$MANIFEST"
  while read -r source destination mode; do
    # A changed configuration file stays. An unchanged one is replaced.
    if [[ $destination == etc/* ]] && [ -e "$root/$destination" ] &&
      ! grep -qxF "$(checksum "$root/$destination")  $destination" "$root/$MANIFEST"; then
      cmp -s "$here/$source" "$root/$destination" || kept+=("/$destination")
      continue
    fi
    grep -vF "  $destination" "$root/$MANIFEST" >"$root/$MANIFEST.new" || true
    printf '%s  %s\n' "$(checksum "$here/$source")" "$destination" >>"$root/$MANIFEST.new"
    mv "$root/$MANIFEST.new" "$root/$MANIFEST"
    put "$source" "$destination" "$mode"
  done < <(files)
  ! has_systemd || systemctl daemon-reload
  echo "installed for $target in $root/usr/local; nothing was started"
  [ ${#kept[@]} -eq 0 ] || printf 'kept your changes: %s\n' "${kept[@]}"
  echo "running processes are not restarted: restart them one board at a time"
}

uninstall_all() {
  local sum path running
  [ -e "$root/$MANIFEST" ] || refuse "nothing is installed in ${root:-/}: there is no $root/$MANIFEST"
  if has_systemd; then
    running=$(systemctl list-units --plain --no-legend --state=active,activating 'ribbit*' | cut -d ' ' -f 1 | xargs)
    [ -z "$running" ] || refuse "ribbit is running: type \`systemctl disable --now $running\` first"
  fi
  while read -r sum path; do
    if [[ $path == etc/* ]] && [ -e "$root/$path" ] && [ "$(checksum "$root/$path")" != "$sum" ]; then
      echo "kept your changes: $root/$path"
    else
      rm -f "$root/$path"
    fi
  done <"$root/$MANIFEST"
  rm -f "$root/$MANIFEST"
  rmdir "$root/$(dirname "$MANIFEST")" "$root/etc/ribbit" 2>/dev/null || true
  ! has_systemd || systemctl daemon-reload
  echo "uninstalled; the data of the cluster were not touched"
}

if [ $uninstall = yes ]; then
  uninstall_all
else
  install_all
fi
