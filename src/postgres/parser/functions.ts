/**
 * Built-in functions by what they do beside giving a value, from `catalog/pg_proc.dat` of
 * PostgreSQL 18 and the extensions that come with it.
 *
 * @module
 */

/** Read, write or list files of the server, or load them. */
const FILE_ACCESS =
  /^(?:pg_read_(?:binary_)?file|pg_stat_file|pg_ls_\w+|pg_file_\w+|pg_logdir_ls|lo_(?:im|ex)port)$/;

/** Change data, the session, the server or other sessions, or take locks that outlive the call. */
const WRITING = new RegExp(
  `^(?:${
    [
      "nextval|setval|set_config|lo_\\w+|lowrite|pg_notify|setseed",
      "pg_(?:try_)?advisory_\\w+|pg_(?:cancel|terminate)_backend|pg_reload_conf|pg_rotate_logfile",
      "pg_(?:current_xact_id|create_\\w+|drop_\\w+|copy_\\w+|replication_\\w+)|txid_current",
      "pg_logical_\\w+|pg_(?:sync|export)_\\w+|pg_switch_wal|pg_promote|pg_wal_replay_\\w+",
      "pg_(?:backup|start|stop)_\\w+|pg_stat_(?:reset\\w*|force\\w*|clear\\w*)|pg_log_\\w+",
      "pg_(?:restore|clear|set|import)_\\w+|pg_extension_config_dump|pg_nextoid|pg_file_\\w+",
      "binary_upgrade_\\w+|brin_(?:de)?summarize_\\w+|gin_clean_pending_list|pg_prewarm",
      "dblink\\w*|query_to_xml\\w*|cursor_to_xml\\w*|(?:table|schema|database)_to_xml\\w*|ts_stat",
      "ts_rewrite|pg_truncate_visibility_map|heap_force_\\w+|postgres_fdw_disconnect\\w*",
    ].join("|")
  })$`,
);

/** Last of the names that a function is called by, with or without schema. */
function lastName(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}

/** Whether a function of this name gets at files of the server. */
export function isFileFunction(name: string): boolean {
  return FILE_ACCESS.test(lastName(name));
}

/** Whether a function of this name does nothing but wait. */
export function isSleepFunction(name: string): boolean {
  return /^pg_sleep(?:_for|_until)?$/.test(lastName(name));
}

/**
 * Whether a function of this name changes something, or runs a text that may. Others may, too: this
 * knows those that come with PostgreSQL.
 */
export function isWritingFunction(name: string): boolean {
  return WRITING.test(lastName(name));
}
