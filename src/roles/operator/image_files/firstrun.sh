#!/bin/sh
# The same as user-data and network-config for Raspberry Pi OS before cloud-init (Bookworm and older). It runs once, if the words of
# ribbit/cmdline.txt stand at the end of the line in cmdline.txt.
boot=$(cd "$(dirname "$0")" && pwd)
custom=/usr/lib/raspberrypi-sys-mods/imager_custom
$custom set_hostname @HOST@
@CUSTOM@sh "$boot/ribbit/first-boot.sh" later
rm -f "$boot/firstrun.sh"
sed -i 's| systemd\.run.*||' "$boot/cmdline.txt"
exit 0
