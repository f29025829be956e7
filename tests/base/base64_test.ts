import { deepEqual, equal } from "node:assert/strict";
import { fromBase64, toBase64 } from "../../src/base/base64.ts";

Deno.test("fromBase64 reads what toBase64 writes, and nothing that is written otherwise", () => {
  for (let size = 0; size < 10; size++) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => 251 + i);
    deepEqual(fromBase64(toBase64(bytes)), bytes);
  }
  for (
    const text of [
      "A",
      "AB==",
      "AAB=",
      "AA",
      "AA=",
      "A===",
      "AA==AA==",
      "AA ==",
      "AA==\n",
      "A-_A",
      "=",
      "AAAAA",
    ]
  ) {
    equal(fromBase64(text), undefined, text);
  }
});
