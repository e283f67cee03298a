"""Whether a statement of SQL may write, or only reads."""

import re
from functools import lru_cache

_COMMON_WRITES = ("INSERT", "UPDATE", "DELETE")
_LOCKING = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
_WRITING = re.compile(
    r"\b(?:INSERT|UPDATE|DELETE|MERGE|REPLACE|TRUNCATE|CALL|DO|EXECUTE|COPY|LOAD)\b",
    re.IGNORECASE,
)
_CALLING = re.compile(r"\bSELECT\b|^\s*(?:SET|VALUES)\b", re.IGNORECASE)
"""Statements that may call a function that writes.

Other statements change the schema. They must pass as reads, as some of them cannot run in a
transaction.
"""
_CALLED = re.compile(r"((?<![\w$.])[\w$.]++(?<=\w)|[`\"]) *+\(")
"""The word before a bracket: the name of a function, unless it is a keyword of SQL.

The quantifiers are possessive, so no character is read twice. Otherwise a text of 4,000
characters would take more than a millisecond.
"""
_SQL_KEYWORDS = """
    all and any array as between bigint bit by case char character check cross cte datetime
    decimal distinct else end except exists filter float from full group having in index
    inner int integer intersect interval is join key lateral left like limit not null numeric
    offset on or order outer over partition precision right rollup select set some then time
    timestamp timestamptz union unique using values varbit varbinary varchar varying when
    where with within
"""
_READING_FUNCTIONS = """
    abs acos adddate any_value array_agg array_length array_position ascii asin atan atan2 avg
    bit_and bit_length bit_or bit_xor bitand bitor bitxor bool_and bool_or cardinality cast ceil
    ceiling char_length character_length chr coalesce collate concat concat_ws convert convert_tz
    corr cos cot count covar_pop covar_samp cume_dist current_date current_setting current_time
    current_timestamp date date_add date_format date_part date_sub date_trunc datediff datetime
    day dayofmonth dayofweek dayofyear degrees dense_rank every exp extract first_value floor
    format format_type from_unixtime gen_random_uuid greatest group_concat hex hour if ifnull
    instr json_array json_array_length json_arrayagg json_build_array json_build_object
    json_contains json_contains_path json_each json_exists json_extract json_group_array
    json_group_object json_keys json_length json_object json_objectagg json_overlaps json_quote
    json_search json_table json_type json_unquote json_valid json_value jsonb_agg
    jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text
    jsonb_object_agg jsonb_object_keys jsonb_path_exists jsonb_path_query jsonb_typeof lag
    last_day last_value lead least left length ln log lower lpad ltrim makedate maketime max md5
    microsecond min minute mod month now nth_value ntile nullif octet_length percent_rank
    percentile_cont percentile_disc phraseto_tsquery pi plainto_tsquery position pow power
    quarter radians random rand rank regexp_like regexp_replace regexp_substr regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat
    reverse right round row row_number rpad rtrim second setweight sha1 sha2 sha224
    sha256 sha384 sha512 sign similarity sin sqrt statement_timestamp std stddev stddev_pop
    stddev_samp str_to_date strftime string_agg strpos subdate substr substring sum sysdate tan
    time time_format timediff timestampdiff to_char to_date to_json to_jsonb to_number
    to_timestamp to_tsquery to_tsvector trim trunc ts_headline ts_rank ts_rank_cd
    unhex unix_timestamp unnest upper uuid var_pop var_samp variance version
    websearch_to_tsquery week weekday word_similarity year
"""
"""Functions that only read, and that Django or packages for it use in queries."""
_READING = frozenset([*_SQL_KEYWORDS.split(), *_READING_FUNCTIONS.split()])
_MAX_CACHED_LENGTH = 8_000
"""In characters. Longer texts would fill the cache, and rarely come twice."""
_READING_PREFIXES = ("django_", "st_")
"""Django's own functions on SQLite, and the geometry functions of every database."""


def may_write(sql: object) -> bool:
    """Return whether a statement, or one of several in a text, may write to a table.

    An unknown function may write. A column named like a verb, or a reading function that is not
    listed here, makes a read look like a write, which only costs time. A write never looks like
    a read.
    """
    if not isinstance(sql, str):
        return True
    if sql.startswith(_COMMON_WRITES):
        return True
    return _is_writing(sql) if len(sql) > _MAX_CACHED_LENGTH else _is_writing_cached(sql)


def _is_writing(sql: str) -> bool:
    if _WRITING.search(_LOCKING.sub("", sql)) is not None:
        return True
    if _CALLING.search(sql) is None:
        return False
    return any(_is_unknown(name.lower()) for name in _CALLED.findall(sql))


_is_writing_cached = lru_cache(maxsize=1024)(_is_writing)


def _is_unknown(name: str) -> bool:
    return name not in _READING and not name.startswith(_READING_PREFIXES)
