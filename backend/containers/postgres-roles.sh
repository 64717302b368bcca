#!/bin/sh
# Run once by the PostgreSQL container, when it makes its database: the role that Verbatim runs as, which owns nothing.
# What it may do is granted by `manage.py migrate`, each time.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set password="$(cat /owner/runtime_password)" <<'SQL'
-- The server's log, and with it a failed statement, is nobody's place for a password.
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
CREATE ROLE verbatim LOGIN PASSWORD :'password';
SQL
