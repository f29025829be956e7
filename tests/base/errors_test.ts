import { equal } from "node:assert/strict";
import { asError, messageOf } from "../../src/base/errors.ts";

Deno.test("messageOf and asError take whatever was thrown", () => {
  const error = new TypeError("wrong");
  equal(messageOf(error), "wrong");
  equal(asError(error), error);
  for (const thrown of ["text", 7, null, undefined]) {
    equal(messageOf(thrown), String(thrown));
    equal(asError(thrown).message, String(thrown));
    equal(asError(thrown).name, "Error");
  }
});
