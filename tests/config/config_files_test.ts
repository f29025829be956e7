import { equal, throws } from "node:assert/strict";
import { join } from "node:path";
import { ConfigFiles, readFromDisk } from "../../src/config/config_files.ts";
import { Problems, problemsText } from "../../src/config/problems.ts";

const PLACE = { file: "s.yaml", line: 1, column: 1, path: "x" };

Deno.test("readFromDisk reads text of a limited size from regular files only", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "file");
    Deno.writeTextFileSync(path, "grüße", { mode: 0o600 });
    equal(readFromDisk(path, 7).text, "grüße");
    equal((readFromDisk(path, 7).mode ?? 0o600) & 0o777, 0o600);
    throws(() => readFromDisk(path, 6), /^Error: it is larger than 6B$/);
    throws(() => readFromDisk(folder, 100), /^Error: it is no regular file$/);
    throws(() => readFromDisk("/dev/null", 100), /^Error: it is no regular file$/);
    throws(() => readFromDisk(join(folder, "none"), 100), Deno.errors.NotFound);
    Deno.writeFileSync(path, new Uint8Array([0xff, 0x00]));
    throws(() => readFromDisk(path, 100), /^Error: it is no text in UTF-8$/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("ConfigFiles reads a file once for one kind of contents", () => {
  let reads = 0;
  const reader = () => {
    reads += 1;
    return { text: "text", mode: null };
  };
  const problems = new Problems();
  const files = new ConfigFiles(reader, "s.yaml", problems, new Problems());
  const length = (text: string) => text.length;
  const upper = (text: string) => text.toUpperCase();
  const file = { path: "f", place: PLACE, sizeMax: 10, isSecret: true };
  equal(files.read(file, length), 4);
  equal(files.read(file, length), 4);
  equal(reads, 1);
  equal(files.read(file, upper), "TEXT");
  equal(files.read({ ...file, path: "g" }, length), 4);
  equal(reads, 3);
});

Deno.test("ConfigFiles reports each place that names a file which cannot be read", () => {
  const problems = new Problems();
  const files = new ConfigFiles(readFromDisk, "s.yaml", problems, new Problems());
  const read = (line: number) =>
    files.read(
      { path: "/nowhere/at all", place: { ...PLACE, line }, sizeMax: 10, isSecret: false },
      (text) => text,
    );
  equal(read(1), undefined);
  equal(read(2), undefined);
  const reason = 'cannot read "/nowhere/at all": there is no such file';
  equal(
    problemsText(problems.sorted("s.yaml")),
    `s.yaml:1:1: x: ${reason}\ns.yaml:2:1: x: ${reason}\n`,
  );
});
