#!/bin/sh
# Makes, once, the secrets that docker-compose.yml mounts; what is there already is kept.
#
# Compose mounts a secret file with the owner and mode it has on the host, and the containers run as users the host does
# not know. So the files are readable by all, in a folder that only its owner can enter: on the host the folder keeps
# others out, and in a container there are only the files given to that container.
set -eu

cd "$(dirname "$0")/../.."
folder=.data/compose-secrets
mkdir -p .data
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

# 32 random bytes as hex, like `openssl rand -hex 32`
random() {
  value=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
  if [ "${#value}" -ne 64 ]; then
    echo 'make-secrets.sh: no random bytes from /dev/urandom' >&2
    exit 1
  fi
  printf '%s' "$value"
}

# NAME TEXT: appears whole or not at all
write_once() {
  if [ ! -e "$folder/$1" ]; then
    printf '%s\n' "$2" >"$folder/$1.new"
    chmod 444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
  fi
}

for name in redis.password signing.key admin.key developer.key metrics.token grafana.password; do
  text=$(random)
  write_once "$name" "$text"
done
password=$(cat "$folder/redis.password")
write_once redis.conf "requirepass $password"
write_once redis.url "redis://:$password@redis:6379/0"

cat <<END
The secrets are in $folder:
  admin.key         API key that may do everything
  developer.key     API key that runs and saves RESTRICTED code
  grafana.password  of the user admin at http://127.0.0.1:3000, with COMPOSE_PROFILES=observe
END
