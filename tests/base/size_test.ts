import { equal } from "node:assert/strict";
import { formatSize, parseSize } from "../../src/base/size.ts";

Deno.test("parseSize reads binary units, decimal units and bare bytes", () => {
  const cases: readonly (readonly [text: string, bytes: number])[] = [
    ["0", 0],
    ["512", 512],
    ["512B", 512],
    ["64KiB", 65_536],
    ["10MiB", 10_485_760],
    ["1GiB", 1_073_741_824],
    ["64KB", 64_000],
    ["10MB", 10_000_000],
    ["1GB", 1_000_000_000],
  ];
  for (const [text, bytes] of cases) equal(parseSize(text), bytes, text);
});

Deno.test("parseSize refuses what is not a size", () => {
  const texts = ["", "B", "KiB", "-1", "1.5MiB", "1 MiB", "1kib", "1iB", "1TiB", "1MiBB", "0x10"];
  for (const text of [...texts, "9".repeat(20)]) equal(parseSize(text), undefined, text);
});

Deno.test("formatSize writes what parseSize reads, in the largest unit that fits", () => {
  for (const bytes of [0, 1, 512, 10_000, 65_535, 65_536, 1_048_576, 1_073_741_824]) {
    equal(parseSize(formatSize(bytes)), bytes);
  }
  equal(formatSize(65_536), "64KiB");
  equal(formatSize(65_535), "65535B");
  equal(formatSize(1_073_741_824), "1GiB");
});
