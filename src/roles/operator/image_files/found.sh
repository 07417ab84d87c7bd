# This board founds the cluster, once @SERVERS@ servers with empty stores have found each other.
mkdir -p /etc/systemd/system/ribbit-coordinator@1.service.d
printf '[Service]\nEnvironment=RIBBIT_FOUND_WITH=@SERVERS@\n' >/etc/systemd/system/ribbit-coordinator@1.service.d/found.conf
