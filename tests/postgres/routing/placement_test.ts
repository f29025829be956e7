import { equal } from "node:assert/strict";
import {
  type SessionDefaults,
  sideOf,
  type StatementKind,
} from "../../../src/postgres/routing/statement_class.ts";

const USUAL: SessionDefaults = { isReadOnly: false, isSerializable: false, isReadable: true };

Deno.test("sideOf sends to replicas what they can run, as the session's defaults have it", () => {
  const readOnly = { ...USUAL, isReadOnly: true };
  const serializable = { ...readOnly, isSerializable: true };
  const table: readonly (readonly [StatementKind, string, string, string])[] = [
    ["read", "replica", "replica", "primary"],
    ["write", "primary", "primary", "primary"],
    ["session", "any", "any", "any"],
    ["transaction", "any", "any", "any"],
    ["begin", "primary", "replica", "primary"],
    ["begin read only", "replica", "replica", "primary"],
    ["begin read write", "primary", "primary", "primary"],
  ];
  for (const [kind, usual, whenReadOnly, whenSerializable] of table) {
    equal(sideOf(kind, USUAL), usual, kind);
    equal(sideOf(kind, readOnly), whenReadOnly, kind);
    equal(sideOf(kind, serializable), whenSerializable, kind);
    equal(sideOf(kind, { ...readOnly, isReadable: false }), "primary", kind);
  }
});
