/**
 * What is known of functions and words, by their names in lower case. Functions are those of
 * PostgreSQL 18 (catalog/pg_proc.dat) that are immutable, or stable with nothing but settings and
 * tables that the cache watches.
 */

function setOf(words: string): Set<string> {
  const all = new Set<string>();
  const list = words.split(" ");
  for (let i = 0; i < list.length; i++) all.add(list[i]);
  return all;
}

/** What the configuration says of functions. */
export class Knowledge {
  readonly pure: Set<string> = new Set<string>();
  readonly harmless: Set<string> = new Set<string>();
}

/** The same result for the same values, settings and tables. */
export const PURE_FUNCTIONS: Set<string> = setOf(
  "abbrev abs acos acosd acosh any_value area array_agg array_append array_cat array_dims " +
  "array_fill array_length array_lower array_ndims array_position array_positions " +
  "array_prepend array_remove array_replace array_reverse array_sort array_to_json " +
  "array_to_string array_upper ascii asin asind asinh atan atan2 atan2d atand atanh avg " +
  "bit_and bit_count bit_length bit_or bit_xor bool_and bool_or box broadcast btrim " +
  "cardinality casefold cbrt ceil ceiling center char_length character_length chr circle " +
  "coalesce concat concat_ws convert convert_from convert_to corr cos cosd cosh cot cotd " +
  "count covar_pop covar_samp crc32 crc32c cume_dist date_add date_bin date_part " +
  "date_subtract date_trunc daterange decode degrees dense_rank diameter div encode " +
  "enum_first enum_last enum_range erf erfc every exp extract factorial family first_value " +
  "floor format gamma gcd generate_series generate_subscripts get_bit get_byte greatest " +
  "grouping height host hostmask immutable_unaccent inet_merge inet_same_family initcap " +
  "int4range int8range isclosed isempty isfinite isopen json_agg json_agg_strict json_array " +
  "json_array_elements json_array_elements_text json_array_length json_arrayagg " +
  "json_build_array json_build_object json_each json_each_text json_extract_path " +
  "json_extract_path_text json_object json_object_agg json_object_keys json_objectagg " +
  "json_populate_record json_populate_recordset json_scalar json_serialize json_strip_nulls " +
  "json_to_record json_to_recordset json_typeof jsonb_agg jsonb_agg_strict " +
  "jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array " +
  "jsonb_build_object jsonb_concat jsonb_delete jsonb_each jsonb_each_text jsonb_exists " +
  "jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg " +
  "jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query " +
  "jsonb_path_query_array jsonb_path_query_first jsonb_populate_record " +
  "jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls " +
  "jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours " +
  "justify_interval lag last_value lcm lead least left length lgamma line ln log log10 " +
  "lower lower_inc lower_inf lpad lseg ltrim make_date make_interval make_time " +
  "make_timestamp make_timestamptz masklen max md5 min min_scale mod mode multirange " +
  "netmask network normalize npoints nth_value ntile nullif num_nonnulls num_nulls numnode " +
  "numrange octet_length overlay parse_ident path percent_rank percentile_cont " +
  "percentile_disc phraseto_tsquery pi plainto_tsquery point polygon position pow power " +
  "querytree quote_ident quote_literal quote_nullable radians radius range_agg " +
  "range_intersect_agg range_merge rank regexp_count regexp_instr regexp_like regexp_match " +
  "regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr " +
  "regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy " +
  "regr_syy repeat replace reverse right round row_number row_to_json rpad rtrim scale " +
  "set_bit set_byte set_masklen setweight sha224 sha256 sha384 sha512 show_trgm sign " +
  "similarity sin sind sinh slope split_part sqrt starts_with stddev stddev_pop stddev_samp " +
  "strict_word_similarity string_agg string_to_array string_to_table strip strpos substr " +
  "substring sum tan tand tanh timezone to_bin to_char to_date to_hex to_json to_jsonb " +
  "to_number to_oct to_timestamp to_tsquery to_tsvector translate trim trim_array " +
  "trim_scale trunc ts_headline ts_rank ts_rank_cd tsrange tstzrange tsvector_to_array " +
  "unistr unnest upper upper_inc upper_inf uuid_extract_timestamp uuid_extract_version " +
  "var_pop var_samp variance websearch_to_tsquery width width_bucket word_similarity xmlagg",
);

/** Words that may stand before "(" and call nothing, or what is in the brackets only. */
export const KEYWORDS: Set<string> = setOf(
  "all and any array as asc between bigint bit boolean both by case cast char character " +
  "check collate conflict cross cube dec decimal default desc distinct do double else end " +
  "escape except exists false fetch filter first float following for from full group groups " +
  "having ilike in inner int integer intersect interval into is isnull join json_exists " +
  "json_query json_table json_value key last lateral leading like limit matched " +
  "materialized national natural nchar not nothing notnull null nulls numeric offset on " +
  "only or order ordinality out outer over partition preceding precision range real " +
  "recursive references returning rollup row rows select set setof sets similar smallint " +
  "some symmetric table then time timestamp to trailing treat true union unique update " +
  "using values varbit varchar varying when where window with within without xmlconcat " +
  "xmlelement xmlforest",
);

/** Words without "(" that have another result each time. */
export const NOT_PURE_WORDS: Set<string> = setOf(
  "current_date current_time current_timestamp localtime localtimestamp tablesample",
);

/** Functions whose results are not kept, and that change nothing a cache can have. */
export const HARMLESS: Set<string> = setOf(
  "age bernoulli system clock_timestamp col_description crypt current_database current_schemas " +
  "current_setting currval format_type gen_random_bytes gen_random_uuid gen_salt " +
  "has_any_column_privilege has_column_privilege has_database_privilege " +
  "has_function_privilege has_schema_privilege has_sequence_privilege has_table_privilege " +
  "inet_client_addr inet_client_port inet_server_addr inet_server_port lastval nextval now " +
  "obj_description random random_normal row_security_active setseed setval " +
  "shobj_description statement_timestamp timeofday to_regclass to_regnamespace to_regproc " +
  "to_regrole to_regtype transaction_timestamp txid_current txid_current_if_assigned " +
  "txid_current_snapshot txid_snapshot_xmax txid_snapshot_xmin txid_status " +
  "txid_visible_in_snapshot uuid_generate_v1 uuid_generate_v4 uuidv4 uuidv7 version",
);

/** Whether it is a function whose results are not kept, and that changes nothing that is. */
export function isVolatile(name: string): bool {
  if (HARMLESS.has(name)) return true;
  // What writes tables or runs texts is none of these.
  return name.startsWith("pg_") && !name.startsWith("pg_logical") &&
    !name.startsWith("pg_restore") && !name.startsWith("pg_replication");
}
