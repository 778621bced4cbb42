#!/bin/sh
# Makes the secrets of compose.yaml once, in deploy/secrets; never changes one that is there.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets

random() { head -c 48 /dev/urandom | base64 | tr -d '+/=\n' | cut -c 1-40; }
once() { [ -s "secrets/$1" ] || printf '%s' "$2" > "secrets/$1"; }

once postgres_password "$(random)"
once mongo_password "$(random)"
once credential_key "$(random)"
once database_url "postgres://mlmd:$(cat secrets/postgres_password)@postgres/mlmd"
once teacher_url "mongodb://mlmd:$(cat secrets/mongo_password)@mongo/mlmd?authSource=admin"
# The containers' own users read the files, which are mounted one by one; on this machine the
# folder keeps everybody else out.
chmod 0444 secrets/*
chmod 0700 secrets
echo "deploy/secrets: keep a copy of credential_key in another place."
