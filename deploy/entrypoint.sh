#!/bin/sh
# Starts one part of the site. A variable NAME_FILE gives NAME the content of a file, so that
# secrets stand neither in compose.yaml nor in `docker inspect`.
set -eu

for name in DATABASE_URL CELERY_BROKER_URL MLMD_TEACHER_URL MLMD_SECRET_KEY MLMD_CREDENTIAL_KEY; do
  eval "file=\${${name}_FILE:-}"
  if [ -n "$file" ]; then
    eval "$name=\$(cat \"\$file\")"
    export "$name"
  fi
done

part=${1:-web}
[ $# -gt 0 ] && shift
case "$part" in
  prepare)
    python manage.py migrate --noinput
    exec python manage.py collectstatic --noinput --verbosity 0
    ;;
  web)
    exec python -m gunicorn portal.wsgi --bind 0.0.0.0:8000 --worker-class gthread \
      --workers "${MLMD_WEB_PROCESSES:-3}" --threads 4 --timeout 120 --graceful-timeout 30 \
      --worker-tmp-dir /dev/shm --access-logfile - --log-level warning
    ;;
  worker)
    exec python -m celery --quiet -A portal worker --concurrency "${MLMD_WORKER_PROCESSES:-3}" \
      --hostname worker@%h --loglevel WARNING --without-gossip --without-mingle --without-heartbeat
    ;;
  beat)
    exec python -m celery --quiet -A portal beat --loglevel WARNING --pidfile= \
      --schedule "$MLMD_VAR/beat-schedule"
    ;;
  manage)
    exec python manage.py "$@"
    ;;
  *)
    echo "entrypoint: $part is none of prepare, web, worker, beat, manage" >&2
    exit 64
    ;;
esac
