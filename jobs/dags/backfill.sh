#!/bin/sh
# Scores every date from FIRST to LAST with one model, oldest first, also those that have been scored:
#   backfill.sh adlib_daily_spark 2026-03-01 2026-03-31 c08a7380cc460a36
# A date that this model has published already from the same rows is not written again.
set -eu
dag=$1 first=$2 last=$3 model=$4

# The times matter: a date's run begins at three, so LAST at midnight would leave the last one out.
airflow backfill create --dag-id "$dag" \
  --from-date "${first}T00:00:00+00:00" --to-date "${last}T23:59:59+00:00" \
  --max-active-runs 1 --reprocess-behavior completed \
  --dag-run-conf "{\"model\": \"$model\"}"
