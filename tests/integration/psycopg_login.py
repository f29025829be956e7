"""Logs in as each user that is named, and says who the server takes it for, or why it failed."""

import os
import re
import sys

import psycopg

for user in sys.argv[1:]:
    try:
        with psycopg.connect(user=user, password=os.environ["PGPASSWORD"]) as connection:
            print(connection.execute("select current_user").fetchone()[0])
    except psycopg.OperationalError as error:
        print(re.sub(r".* failed: FATAL:  ", "", str(error), flags=re.DOTALL).strip())
