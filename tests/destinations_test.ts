import { equal, notEqual } from "node:assert/strict";
import type { ClientConfig } from "../src/config/config.ts";
import { Destinations } from "../src/destinations.ts";
import type { Admitted } from "../src/postgres/client_gate.ts";
import { CLIENT_DEFAULTS } from "./support/configs.ts";

function client(host: string): ClientConfig {
  return { ...CLIENT_DEFAULTS, address: { kind: "tcp", host, port: 5432 } };
}

Deno.test("Destinations leads a walsender to each server of a shared pool by a name of its own", () => {
  const destinations = new Destinations(new Map([["a", client("a")], ["b", client("b")]]));
  const parameters = new Map([["user", "ann"], ["replication", "true"]]);
  const admitted = { session: 7, startup: { parameters } } as unknown as Admitted;
  const [first, second] = ["a", "b"].map((name) =>
    destinations.replication(name, "shared", admitted)
  );
  notEqual(first, second);
  equal(destinations.get(first!).clientName, "a");
  equal(destinations.get(second!).clientName, "b");
});
