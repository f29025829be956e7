/**
 * What a StartupMessage asks a session to be like.
 *
 * @module
 */

/** Parameters of a StartupMessage that are not about the session itself. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(["user", "database", "options", "replication"]);

/**
 * The settings that a StartupMessage asks for: its parameters, and what is in `options`, which a
 * parameter of its own name overrides as in PostgreSQL.
 *
 * @throws {RangeError} If `options` holds a switch other than -c and --name=value.
 */
export function startupSettings(parameters: ReadonlyMap<string, string>): Map<string, string> {
  const settings = new Map<string, string>();
  for (const [name, value] of optionSettings(parameters.get("options") ?? "")) {
    settings.set(name.toLowerCase(), value);
  }
  for (const [name, value] of parameters) {
    if (NOT_SETTINGS.has(name) || name.startsWith("_pq_.")) continue;
    settings.set(name.toLowerCase(), value);
  }
  return settings;
}

/** Words are divided by white space; a backslash takes the next character as it is. */
function optionSettings(options: string): [string, string][] {
  const words = (options.match(/(?:\\[^]|[^\s\\])+/g) ?? [])
    .map((word) => word.replaceAll(/\\([^])/g, "$1"));
  const settings: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    let setting: string | undefined;
    if (word === "-c") setting = words[++i];
    else if (word.startsWith("-c")) setting = word.slice(2);
    else if (word.startsWith("--")) setting = word.slice(2);
    const equals = setting?.indexOf("=") ?? -1;
    if (setting === undefined || equals < 1) {
      throw new RangeError(
        "unsupported options in startup packet: only -c name=value and --name=value are known",
      );
    }
    // PostgreSQL takes a dash in a name for an underscore (ParseLongOption in guc.c).
    settings.push([setting.slice(0, equals).replaceAll("-", "_"), setting.slice(equals + 1)]);
  }
  return settings;
}
