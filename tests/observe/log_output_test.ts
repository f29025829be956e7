import { deepStrictEqual as assertEquals } from "node:assert/strict";
import { type LineWriter, LogOutput } from "../../src/observe/log_output.ts";

/** Takes as many bytes as the next number says, "fail" throws; then everything. */
function writerOf(script: (number | "fail")[]): { writer: LineWriter; text: () => string } {
  const bytes: number[] = [];
  return {
    writer: {
      writeSync(chunk) {
        const step = script.shift() ?? Infinity;
        if (step === "fail") throw new Deno.errors.BrokenPipe("Broken pipe");
        const taken = chunk.subarray(0, step);
        bytes.push(...taken);
        return taken.length;
      },
    },
    text: () => new TextDecoder().decode(new Uint8Array(bytes)),
  };
}

function outputOf(script: (number | "fail")[]) {
  const { writer, text } = writerOf(script);
  return { output: new LogOutput(writer, (count) => `lost ${count}\n`), text };
}

Deno.test("LogOutput.write() goes on where a short write ended", () => {
  const { output, text } = outputOf([1, 2, 1]);
  output.write("héllo\n");
  assertEquals([text(), output.lost], ["héllo\n", 0]);
});

Deno.test("LogOutput.write() counts lines that fail, and tells the count once it can", () => {
  const { output, text } = outputOf(["fail", "fail"]);
  output.write("a\n");
  output.write("b\n");
  assertEquals([text(), output.lost], ["", 2]);
  output.write("c\n");
  output.write("d\n");
  assertEquals([text(), output.lost], ["c\nlost 2\nd\n", 2]);
});

Deno.test("LogOutput.write() tells the count later when telling it fails", () => {
  const { output, text } = outputOf(["fail", Infinity, "fail"]);
  output.write("a\n");
  output.write("b\n");
  output.write("c\n");
  assertEquals([text(), output.lost], ["b\nc\nlost 1\n", 1]);
});

Deno.test("LogOutput.write() begins a new line after one that was torn", () => {
  const { output, text } = outputOf([2, "fail", "fail"]);
  output.write("aaaa\n");
  output.write("bbbb\n");
  output.write("cccc\n");
  assertEquals([text(), output.lost], ["aa\ncccc\nlost 2\n", 2]);
});

Deno.test("LogOutput.write() gives a line up when nothing of it is taken", () => {
  const { output, text } = outputOf([0]);
  output.write("a\n");
  output.write("b\n");
  assertEquals([text(), output.lost], ["b\nlost 1\n", 1]);
});

Deno.test("LogOutput.redirect() sends further lines elsewhere, whole", () => {
  const { output, text } = outputOf([1, "fail"]);
  output.write("aa\n");
  const second = writerOf([]);
  output.redirect(second.writer);
  output.write("bb\n");
  assertEquals([text(), second.text()], ["a", "bb\nlost 1\n"]);
});
