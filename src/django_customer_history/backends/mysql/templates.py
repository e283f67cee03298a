"""MariaDB and MySQL: the SQL of the triggers.

Table names have no schema: `database`.`table` would mean a temporary table of that name as well,
and a dump could no longer be restored into a database of another name.
"""

# Only MariaDB runs what follows M!, and so replaces a trigger without a gap. For MySQL,
# `MySQLBackend.replacing` removes the old trigger first.
TRIGGER = """
CREATE /*M! OR REPLACE */ TRIGGER {name}
{moment} ON {table}
FOR EACH ROW
{body}
"""

CAPTURE = """
BEGIN
  {header}
  DECLARE microsecond BIGINT;
  DECLARE changes LONGTEXT CHARACTER SET utf8mb4;
  IF {condition} THEN
    {work}
  END IF;
END
"""

# Two rows of one statement may come in the same microsecond: the later row gets the next one.
WRITE = """
{reason_checks}
SET microsecond = {microsecond};
IF @customer_history_clock - microsecond BETWEEN 0 AND 999999 THEN
  SET microsecond = @customer_history_clock + 1;
END IF;
SET @customer_history_clock = microsecond + {more};
{entries}
"""

# One statement for each column: MariaDB prepares an expression again each time it runs it, and
# most columns have not changed.
COLLECT_CHANGE = """
IF {condition} THEN
  SET changes = NULLIF(CONCAT_WS(',', changes, {member}), '');
END IF;
"""

WRITE_IF_CHANGED = """
{changes}
IF changes IS NOT NULL THEN
  {work}
END IF;
"""

APPEND_ONLY = """
BEGIN
  {header}
  {signal};
END
"""

ENTRY = """
INSERT INTO {log} (
  {columns}
)
VALUES (
  {values}
)
"""

# MySQL refuses an INSERT that reads its own table (1093), so such values are read before it.
ENTRY_WITH_VALUES_FROM_LOG = """
BEGIN
  {variables}
  {statement};
END
"""

VALUE_FROM_LOG = """
DECLARE logged_{column} TEXT CHARACTER SET utf8mb4 DEFAULT {value};
"""

IF = """
IF {condition} THEN
  {statement};
END IF
"""

# 1451 is the number of an error that Django raises as IntegrityError, as on other databases.
SIGNAL = """
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = {message}, MYSQL_ERRNO = 1451
"""

# NOW() has one value in a statement and SYSDATE() has not, but SYSDATE() is in the session's time
# zone. The distance of that zone from UTC is taken at the start of the statement.
MICROSECOND = """
TIMESTAMPDIFF(
  MICROSECOND, '1970-01-01',
  SYSDATE(6) + INTERVAL TIMESTAMPDIFF(MICROSECOND, NOW(6), UTC_TIMESTAMP(6)) MICROSECOND
)
""".strip()

# 48 bits of milliseconds, version 7, 12 bits of fraction, variant 8, then 60 random bits.
# MariaDB's uuid takes the digits alone, and elsewhere Django stores the digits alone.
KEY = """
LOWER(CONCAT(
  LPAD(HEX({microsecond} DIV 1000), 12, '0'),
  '7', LPAD(HEX({microsecond} MOD 1000 * 4096 DIV 1000), 3, '0'),
  '8', LEFT({random}, 15)
))
"""

# An object or nothing on both sides: one member for each key that differs. Otherwise: one member
# for the whole field.
MEMBERS_BY_KEY = """
IF(
  {are_objects},
  (
    SELECT {members}
    FROM (
      SELECT MAX(k) AS k, MAX(o) AS o, MAX(n) AS n
      FROM (
        {sides}
      ) AS sides
      GROUP BY BINARY k
    ) AS pairs
    WHERE NOT (BINARY o <=> BINARY n)
  ),
  {whole}
)
"""

MARIADB_MEMBERS = """
GROUP_CONCAT(JSON_QUOTE(CONCAT({prefix}, k)), ':', JSON_ARRAY(o, n) SEPARATOR ',')
"""

# MySQL cuts GROUP_CONCAT after 1,024 bytes. An object has no such limit; without its braces it is
# the list of its members.
MYSQL_MEMBERS = """
TRIM(LEADING '{' FROM TRIM(TRAILING '}' FROM CAST(
  JSON_OBJECTAGG(CONCAT({prefix}, k), JSON_ARRAY(o, n)) AS CHAR
)))
"""

# Keys and values come in the same order. A path with the key in it would miss keys with escapes.
# CONCAT makes JSON_ARRAY quote the values; it would nest them otherwise.
KEYS_OF_ONE_SIDE = """
SELECT k, CONCAT({old}, '') AS o, CONCAT({new}, '') AS n
FROM (
  SELECT
    k,
    JSON_EXTRACT(JSON_EXTRACT({document}, '$.*'), CONCAT('$[', number - 1, ']')) AS value
  FROM JSON_TABLE(
    JSON_KEYS({document}), '$[*]' COLUMNS (number FOR ORDINALITY, k VARCHAR(255) PATH '$')
  ) AS one_key
) AS members
"""
