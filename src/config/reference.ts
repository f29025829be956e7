/**
 * The reference page of the configuration, `docs/configuration.md`. A test keeps the page equal
 * to what this says.
 *
 * @module
 */

import { FILE_SIZE_MAX, GROUPS_MAX, type Key, type Section, SECTIONS } from "./declarations.ts";
import { variableName } from "./environment.ts";
import { formatSize } from "../base/size.ts";
import { GROUP_NAME_RULE } from "./key_types.ts";

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

A name of a group has ${GROUP_NAME_RULE}. A section has at most ${GROUPS_MAX} groups, a file
at most ${
  formatSize(FILE_SIZE_MAX)
}. Anchors, aliases and merge keys (\`<<: *defaults\`) work. Unknown keys are errors.

## Environment variables

Every key has an environment variable, and the variable wins over the file. In the tables below,
\`NAME\` stands for the name of a group in upper case. Underscores do not matter: they may stand
between words or be left out, and stand for the \`-\` in a name. Lists are separated by commas.
A variable can also create a group that the file does not have, if its name is one word of letters
and digits:

\`\`\`sh
SLUICE_SERVERS_DEFAULT_ADDRESS=0.0.0.0:15432
SLUICE_CLIENTS_DEFAULT_ADDRESS=db.example.com:5432
SLUICE_POOLS_DEFAULT_SIZE=20
\`\`\`

An unknown variable that begins with \`SLUICE_\` is an error.

## Mistakes

All of them are reported at once, each with its place and what to do:

\`\`\`text
sluice.yaml:7:3: servers.default.proxie: unknown key; did you mean "proxies"?
\`\`\`
`;

/** Returns the reference page as Markdown. */
export function configReference(): string {
  return INTRODUCTION + SECTIONS.map(sectionText).join("");
}

function sectionText(section: Section): string {
  const title = section.hasGroups ? `${section.name}.NAME` : section.name;
  const required = section.isRequired ? ` At least one ${section.singular} is required.` : "";
  const rows = Object.entries(section.keys).map(([name, key]) => rowText(section, name, key));
  return `
## ${title}

${section.doc}${required}

| key | type | default | range | environment variable | meaning |
|---|---|---|---|---|---|
${rows.join("\n")}
`;
}

function rowText(section: Section, name: string, key: Key<unknown>): string {
  const cells = [
    `\`${name}\``,
    key.type.name,
    defaultText(key),
    key.type.range,
    `\`${variableName(section.name, section.hasGroups ? "NAME" : "", name)}\``,
    key.doc,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function defaultText({ fallback }: Key<unknown>): string {
  switch (fallback.kind) {
    case "required":
      return "required";
    case "value":
      return `\`${fallback.text}\``;
    case "own name":
      return "the group's name";
    case "only with":
      return `required with \`${fallback.key}: ${fallback.value}\``;
  }
}
