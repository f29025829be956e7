/**
 * The host, `wit/README.md` and `wit/sluice.wit` name the same functions, of the same types.
 *
 * @module
 */

import { deepStrictEqual as assertEquals, ok } from "node:assert/strict";
import { HOST_SIGNATURES, signatureText } from "../../src/plugin_host/host_signatures.ts";

const read = (name: string) => Deno.readTextFileSync(new URL(`../../wit/${name}`, import.meta.url));

Deno.test("HOST_SIGNATURES are the imports of wit/README.md", () => {
  const rows = [
    ...read("README.md").matchAll(/^\| `((?!sluice)\w+)` +\| `\(([^)]*)\) -> (\w+)`/gm),
  ];
  const listed = rows.map(([, name, parameters, result]) => {
    const types = parameters!.split(", ").map((one) => one.split(" ").at(-1));
    return `${name} (${types.join(", ")}) -> ${result}`;
  });
  ok(listed.length > 0);
  assertEquals(
    [...HOST_SIGNATURES].map(([name, type]) => `${name} ${signatureText(type)}`),
    listed,
  );
});

Deno.test("HOST_SIGNATURES are the functions of interface host in wit/sluice.wit", () => {
  const host = read("sluice.wit").split("interface host {")[1]!.split("\n}")[0]!;
  const names = [...host.matchAll(/^ {4}([a-z-]+): func/gm)].map(([, name]) =>
    name!.replaceAll("-", "_")
  );
  assertEquals([...HOST_SIGNATURES.keys()], names);
});
