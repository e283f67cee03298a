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
  {declare_primary}
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

DECLARE_PRIMARY = "DECLARE primary_id CHAR(36) CHARACTER SET ascii;"

# A change with several subjects: all entries but the first refer to the first.
ENTRY_OF_SEVERAL = """
SET primary_id = {key};
{statement}
"""

# A fixture that is loaded again writes what is there already. The text of JSON stays as it is.
APPEND_ONLY_UPDATE = """
BEGIN
  {header}
  IF (
    {change}
  ) THEN
    {signal};
  END IF;
  {keep_texts}
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

# The triggers of this session may have gone ahead of the clock: see WRITE.
SESSION_MICROSECOND = f"""
SELECT IF(
  @customer_history_clock - microsecond BETWEEN 0 AND 999999,
  @customer_history_clock + 1,
  microsecond
)
FROM (SELECT {MICROSECOND} AS microsecond) AS now
""".strip()

# The server returns the argument of LAST_INSERT_ID() together with the result of the INSERT.
# With LIMIT the query runs once, and is not put into the places where its column is used.
EVENT_CLOCK = f"""
SELECT LAST_INSERT_ID(({SESSION_MICROSECOND})) AS microsecond LIMIT 1
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

# SHA2: to group by a long text, the databases compare only its first max_sort_length bytes.
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
      GROUP BY SHA2(k, 256)
    ) AS pairs
    WHERE NOT (BINARY o <=> BINARY n)
  ),
  {whole}
)
"""

# The same for a creation or a deletion, which has one side.
MEMBERS_OF_KEYS = """
IF(
  {is_object},
  (
    SELECT {members}
    FROM (
      {side}
    ) AS sides
  ),
  {whole}
)
"""

# GROUP_CONCAT would end at group_concat_max_len, which is 1,024 bytes on MySQL. An object has no
# such limit; without its braces it is the list of its members.
MEMBERS = """
TRIM(LEADING '{' FROM TRIM(TRAILING '}' FROM CAST(
  JSON_OBJECTAGG(CONCAT({prefix}, k), {value}) AS CHAR
)))
"""

# Nothing, JSON's null, or an object. MariaDB keeps a key that occurs twice, and then its lists of
# keys and of values do not match.
IS_OBJECT = """
CASE COALESCE(JSON_TYPE({document}), 'NULL')
  WHEN 'NULL' THEN 1
  WHEN 'OBJECT' THEN JSON_LENGTH({document}) = JSON_LENGTH(JSON_KEYS({document}))
  ELSE 0
END
"""

# Keys and values come in the same order. A path with the key in it would miss keys with escapes,
# and would read the whole document for each key. In MySQL's table the value null is NULL.
# CONCAT makes JSON_ARRAY quote the values; it would nest them otherwise.
KEYS_OF_ONE_SIDE = """
SELECT k, {old} AS o, {new} AS n
FROM (
  SELECT MAX(k) AS k, CONCAT(COALESCE(MAX(v), 'null'), '') AS value
  FROM (
    SELECT number, k, NULL AS v
    FROM {source}JSON_TABLE(
      JSON_KEYS({document}), '$[*]' COLUMNS (number FOR ORDINALITY, k LONGTEXT PATH '$')
    ) AS all_keys
    UNION ALL
    SELECT number, NULL AS k, CONVERT(v USING utf8mb4) AS v
    FROM {source}JSON_TABLE(
      JSON_EXTRACT({document}, '$.*'), '$[*]' COLUMNS (number FOR ORDINALITY, v JSON PATH '$')
    ) AS all_values
  ) AS parts
  GROUP BY number
) AS members
"""

# CHAR(92) is a backslash: sessions differ in what one means in a text. JSON_KEYS of MariaDB is
# NULL for JSON that is nested deeply.
CHANGED_NAMES = """
CASE
  WHEN JSON_TYPE({changes}) <> 'OBJECT' THEN 'null'
  WHEN LOCATE(CONCAT(CHAR(92), 'u'), {changes}) > 0 THEN CAST({changes} AS CHAR)
  ELSE COALESCE(CAST(JSON_KEYS({changes}) AS CHAR), CAST({changes} AS CHAR))
END
"""
