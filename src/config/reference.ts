/**
 * The reference page of the configuration, `docs/configuration.md`. A test keeps the page equal
 * to what this says.
 *
 * @module
 */

import { FILE_SIZE_MAX, GROUPS_MAX, type Section, SECTIONS } from "./declarations.ts";
import { variableName } from "./environment.ts";
import { formatSize } from "../base/size.ts";
import type { Key, Keys } from "./key.ts";
import { GROUP_NAME_RULE, isSettable } from "./key_types.ts";
import { ALIASES_MAX, LIMITS_MAX } from "./limits_file.ts";
import { RULES_MAX } from "./hba.ts";
import { LINES_MAX, USER_NAME_RULE } from "./text_types.ts";
import { USERS_MAX } from "./users_file.ts";

const INTRODUCTION = `\
# Configuration

<!-- Generated from src/config/declarations.ts by docs/generate_configuration.ts: change those. -->

A configuration is a YAML file, environment variables, or both. This is a complete one:

\`\`\`yaml
servers:
  default:
    address: 127.0.0.1:15432 # where clients connect to
clients:
  default:
    address: 127.0.0.1:5432 # where the database is
\`\`\`

## Where it is

The file that \`-c FILE\` names (\`-c -\` is standard input), or the one that the variable
\`SLUICE_CONFIG\` names, or else \`./sluice.yaml\` or \`/etc/sluice/sluice.yaml\`. Where none of
these is, the configuration is what the environment says. Most files below \`/dev\`,
\`/proc\` and \`/sys\` cannot be read.

## How the parts belong together

A **server** is a listener. It sends its clients to a **proxy**, which ties a **client** (how a
database is reached) to a **pool** (how many connections there may be). Parts of one name belong
together, so the file above is the same as this one:

\`\`\`yaml
servers:
  default:
    address: 127.0.0.1:15432
    proxies: [default]
proxies:
  default:
    client: default
    pool: default
clients:
  default:
    address: 127.0.0.1:5432
pools:
  default:
    size: 50
\`\`\`

A server with several proxies tries them in order: the first one whose database can be reached
gets the client.

## Values

- **duration**: whole numbers with the units \`h\`, \`m\`, \`s\` and \`ms\`, such as
  \`250ms\`, \`5s\` or \`1m30s\`. A number without a unit is an error, except \`0\`.
- **size**: \`512B\`, \`64KiB\`, \`10MiB\` and \`1GiB\` in powers of 1024, \`KB\`, \`MB\` and
  \`GB\` in powers of 1000; a number without a unit is bytes.
- **address**: \`host:port\`, \`"[::1]:port"\` (YAML needs the quotes) or the path of a Unix socket.
- **boolean**: \`true\` or \`false\`; \`yes\` and \`on\` are errors.
- **mode**: octal permission bits as \`chmod\` takes them, such as \`"0700"\`.
- **path**: a file; a relative path starts from the folder of the configuration file, or from the
  working directory where the configuration is standard input or the environment alone.
- **secret**: text that no message and no log ever shows. \`\${NAME}\` in it is the value of an
  environment variable, which must be set, and \`$\${\` the characters \`\${\` themselves. Nothing
  else takes variables in this way: there \`\${NAME}\` is an error, as what is no secret may be
  shown. Every key has a variable of its own, see below.
- **list of objects**: each \`- \` and then keys, which have a table of their own.
- **list of lines**: lines in a syntax of their own, see below.

A key with a dot, such as \`tls.mode\`, is a key below another one: \`tls: { mode: require }\`.

A name of a group has ${GROUP_NAME_RULE}. Under \`users\` it is the
name of a user as the database has it: ${USER_NAME_RULE}.

A section has at most ${GROUPS_MAX} groups, a file at most ${formatSize(FILE_SIZE_MAX)}.
Anchors, aliases and merge keys (\`<<: *defaults\`) work. Unknown keys are errors.

## Environment variables

Every key has an environment variable, and the variable wins over the file; but for lists of
objects, such as \`act.policies\`, which only a file can say. In the tables below,
\`NAME\` stands for the name of a group in upper case, with \`_\` for every other character. One
underscore has to follow \`SLUICE\`, and one the section. Behind the section underscores do not
matter for groups that the file has: \`SLUICE_POOLS_DEFAULT_MINSIZE\` is
\`SLUICE_POOLS_DEFAULT_MIN_SIZE\`. Lists are separated by commas, lists of lines by line ends. A
secret is taken as it is, without looking for \`\${NAME}\` in it.

A variable can also create a group that the file does not have. Its name is in lower case then,
one word of letters and digits, and one underscore has to follow it:

\`\`\`sh
SLUICE_SERVERS_DEFAULT_ADDRESS=0.0.0.0:15432
SLUICE_CLIENTS_DEFAULT_ADDRESS=db.example.com:5432
SLUICE_POOLS_DEFAULT_SIZE=20
\`\`\`

A group with \`_\`, \`-\`, capitals or other characters in its name has to be in the file, as in
\`users: { "Alice": {} }\`; then variables can set its keys.

An unknown variable that begins with \`SLUICE_\` is an error; \`SLUICE_CONFIG\` is known and no key.

## Mistakes

All of them are reported at once, each with its place and what to do:

\`\`\`text
sluice.yaml:7:3: servers.default.proxie: unknown key; did you mean "proxies"?
\`\`\`
`;

const FILES = `
## Authentication and TLS

By default a server relays: the database authenticates each client, which needs a server
connection for each of them. To pool connections, the gateway has to know who its clients are:

\`\`\`yaml
servers:
  default:
    address: 127.0.0.1:15432
    auth: { method: scram-sha-256, usersFile: users.txt }
    tls: { mode: prefer, certFile: gateway.crt, keyFile: gateway.key }
clients:
  default:
    address: db.example.com:5432
    user: app
    password: "\${APP_PASSWORD}"
    tls: { mode: verify-full, caFile: ca.crt }
pools:
  default: { mode: transaction, size: 10, minSize: 2 }
\`\`\`

Without a \`user\`, the gateway logs in to the database as the client's own user: with the plain
password of the users file, with the one that the client sent (\`password\`), or with the client's
proof when the database has the same SCRAM secret.

### Users

\`auth.usersFile\` is in the format of PgBouncer's \`userlist.txt\`. A secret is plain text, an MD5
hash or what \`pg_authid.rolpassword\` has; a quote in either text is doubled:

\`\`\`text
; user   secret
"app"    "SCRAM-SHA-256$4096:W22Z...$WG5d...:wfPL..."
"report" "plain text"
\`\`\`

Method \`scram-sha-256\` cannot use an MD5 hash; method \`md5\` uses SCRAM for a SCRAM secret. A
file has at most ${grouped(USERS_MAX)} users.

### Rules

\`auth.rules\` and \`auth.rulesFile\` are in the syntax of \`pg_hba.conf\`; the first rule that
fits decides, and a client that none fits is refused:

\`\`\`yaml
servers:
  default:
    address: 0.0.0.0:15432
    auth:
      method: rules
      usersFile: users.txt
      rules:
        - local   all      all            trust
        - hostssl all      /^ops_   all        cert map=people
        - host    app,logs all      10.0.0.0/8 scram-sha-256
      nameMap:
        - people /^(.*)@example\\.com$ \\1
    tls: { mode: prefer, certFile: gateway.crt, keyFile: gateway.key, caFile: ca.crt }
\`\`\`

- Types: \`local\`, \`host\`, \`hostssl\`, \`hostnossl\`.
- Databases: names, \`all\`, \`sameuser\`, \`replication\`, and \`/\` with a regular expression.
- Users: names, \`all\`, and \`/\` with a regular expression.
- Addresses: \`all\`, \`10.0.0.0/8\`, \`2001:db8::/32\`, or an address and a mask. It is the
  client's own address; no names of hosts are looked up.
- Methods: \`trust\`, \`reject\`, \`password\`, \`md5\`, \`scram-sha-256\`, \`cert\`, \`relay\`.
- Options: \`map=NAME\` with \`cert\`; \`clientcert=verify-ca\` and \`clientcert=verify-full\` with
  \`hostssl\`.

Everything else that PostgreSQL has there is an error. A line of \`auth.nameMap\` is the name of a
map, the common name of a certificate, and a user; the name of the map is left out for method
\`cert\` and for rules without \`map=\`. There are at most
${grouped(RULES_MAX)} rules, and ${grouped(LINES_MAX)} lines of \`auth.nameMap\`.

### Limits

\`pools.NAME.limitsFile\` is in the format of \`pgagroal_databases.conf\`:

\`\`\`text
# DATABASE[=ALIAS,ALIAS] USER MAX_SIZE [INITIAL_SIZE [MIN_SIZE]] [disabled]
sales=shop,orders  app   20 5 2
sales              all   5
all                admin 2
archive            all   all disabled
\`\`\`

The line for the database and the user counts; without one, that for \`all\` and the user, then the
database and \`all\`, then \`all\` and \`all\`. Clients may use an alias for the name of the
database. \`all\` as a size is what the pool has. \`disabled\` refuses new clients. A file has at
most ${grouped(LIMITS_MAX)} lines, and a database ${ALIASES_MAX} aliases.
`;

/** 10000 as "10,000". */
function grouped(count: number): string {
  return count.toLocaleString("en");
}

/** Returns the reference page as Markdown. */
export function configReference(): string {
  return INTRODUCTION + FILES + SECTIONS.map(sectionText).join("");
}

function sectionText(section: Section): string {
  const title = section.groups === undefined ? section.name : `${section.name}.NAME`;
  const required = section.isRequired ? ` At least one ${section.singular} is required.` : "";
  const group = section.groups === undefined ? "" : "NAME";
  const own = section.ownKeys === undefined
    ? ""
    : `\n${tableText(section, "", section.ownKeys)}\nA group \`${title}\` has:\n`;
  const lists = Object.entries(section.keys).map(([name, { type }]) =>
    type.items === undefined ? "" : listText(section, name, type.items)
  );
  return `
## ${section.ownKeys === undefined ? title : section.name}

${section.doc}${required}
${own}
${tableText(section, group, section.keys)}${lists.join("")}`;
}

/** What is in a list of objects. */
function listText(section: Section, list: string, keys: Keys): string {
  const rows = Object.entries(keys).map(([name, key]) => rowText(section, "", name, key, false));
  return `
### ${section.name}.${list}

Keys of each object of the list. No environment variable can set them.

${table(rows)}`;
}

function tableText(section: Section, group: string, keys: Keys): string {
  return table(
    Object.entries(keys).map(([name, key]) => rowText(section, group, name, key)),
  );
}

function table(rows: readonly string[]): string {
  return `\
| key | type | default | range | environment variable | meaning |
|---|---|---|---|---|---|
${rows.join("\n")}
`;
}

function rowText(
  section: Section,
  group: string,
  name: string,
  key: Key<unknown>,
  hasVariable = isSettable(key.type),
): string {
  const cells = [
    `\`${name}\``,
    key.type.name,
    defaultText(key),
    key.type.range,
    hasVariable ? `\`${variableName(section.name, group, name)}\`` : "none",
    key.doc,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function defaultText({ fallback }: Key<unknown>): string {
  switch (fallback.kind) {
    case "required":
      return "required";
    case "value":
      return fallback.text === "" ? "empty" : `\`${fallback.text}\``;
    case "empty list":
    case "empty keys":
      return "empty";
    case "own name":
      return "the group's name";
    case "only with":
      return `required with \`${fallback.key}: ${fallback.value}\``;
  }
}
