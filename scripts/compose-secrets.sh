#!/usr/bin/env bash
# Makes the secrets that docker-compose.yml names, once: what is there already stays.
#
#   scripts/compose-secrets.sh [directory]
#
# The directory (default: secrets/, which git ignores) is closed to everybody else. The files in it can be
# read by all, since the containers that get them run as users of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
directory=${1:-secrets}

if [ -e "$directory/api.env" ]; then
    echo "compose-secrets: $directory/ is there already, nothing was changed" >&2
    exit 0
fi
mkdir -p "$directory"
chmod 700 "$directory"

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { # name: standard input goes there
    cat >"$directory/$1.new"
    chmod 644 "$directory/$1.new"
    mv "$directory/$1.new" "$directory/$1"
}

admin=$(random) metrics=$(random) api=$(random) migrator=$(random)
api_url="postgresql://saas_api:$api@postgres:5432/saas"
migrator_url="postgresql://saas_migrator:$migrator@postgres:5432/saas"

printf %s "$admin" | keep postgres_password
printf %s "$metrics" | keep metrics_token
random | keep grafana_password
keep bootstrap.env <<END
PGPASSWORD=$admin
SAAS_API_DATABASE_URL=$api_url
SAAS_API_MIGRATION_DATABASE_URL=$migrator_url
END
keep migrate.env <<END
SAAS_API_MIGRATION_DATABASE_URL=$migrator_url
END
keep api.env <<END
SAAS_API_DATABASE_URL=$api_url
SAAS_API_JWT_SECRET=$(random)
SAAS_API_METRICS_TOKEN=$metrics
END
echo "compose-secrets: made $directory/; the database keeps these passwords, so keep the files" >&2
