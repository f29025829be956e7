import { equal } from "node:assert/strict";
import { asError, messageOf, systemReason } from "../../src/base/errors.ts";

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

Deno.test("systemReason says what the system did not do, and nothing of the runtime", () => {
  const { errors } = Deno;
  const reasons: readonly (readonly [unknown, string])[] = [
    [
      new errors.NotCapable('Requires all access to "/dev/stdin", run again with --allow-all'),
      "files below /dev, /proc and /sys cannot be used, except /dev/null",
    ],
    [new errors.NotFound("No such file (os error 2): readfile 'x'"), "there is no such file"],
    [new errors.PermissionDenied("Permission denied (os error 13)"), "permission denied"],
    [new errors.IsADirectory("Is a directory (os error 21)"), "it is a folder"],
    [new errors.NotADirectory("Not a directory (os error 20)"), "a part of its path is no folder"],
    [new errors.AlreadyExists("File exists (os error 17)"), "it exists"],
    [new errors.AddrInUse("in use (os error 98)"), "something else listens there already"],
    [new errors.AddrNotAvailable("(os error 99)"), "this machine does not have that address"],
    [new Error("File name too long (os error 36): open '/a\nb'"), "file name too long"],
    [new Error("it is no regular file"), "it is no regular file"],
    ["text", "text"],
  ];
  for (const [thrown, reason] of reasons) equal(systemReason(thrown), reason);
});
