import { deepEqual } from "node:assert/strict";
import { CLIENT_MESSAGE_TYPES, SERVER_MESSAGE_TYPES } from "../../src/hooks/message_types.ts";
import { BACKEND, FRONTEND } from "../../src/postgres/wire/tags.ts";

/** Types that hooks of messages are never called for: logins are the gateway's own. */
const LOGIN = ["password", "authentication", "backendKeyData", "negotiateProtocolVersion"];

/** Types that manifests have and that the gateway itself never looks for. */
const ONLY_NAMED = ["copyDone", "copyOutResponse", "functionCallResponse"];

/** Both tables in one form: names begin with a small letter, in their order. */
function comparable(types: Readonly<Record<string, number>>, without: readonly string[]) {
  const small = Object.entries(types).map(([name, type]) =>
    [name.charAt(0).toLowerCase() + name.slice(1), type] as const
  );
  return Object.fromEntries(small.filter(([name]) => !without.includes(name)).sort());
}

Deno.test("Names of messages in manifests mean what the protocol's own code means", () => {
  deepEqual(comparable(CLIENT_MESSAGE_TYPES, []), comparable(FRONTEND, LOGIN));
  deepEqual(comparable(SERVER_MESSAGE_TYPES, ONLY_NAMED), comparable(BACKEND, LOGIN));
});
