import { equal, match } from "node:assert/strict";
import { runProgram } from "../../support/programs.ts";

Deno.test("openSsl says what to do where it may not be loaded", async () => {
  const module = new URL("../../../src/net/tls/openssl.ts", import.meta.url);
  const code = `import { openSsl } from "${module}";
    try { openSsl(); } catch (error) { console.log(error.message); }`;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, code);
    const options = ["--no-prompt", "--no-check", "--allow-read"];
    const { stdout, stderr } = await runProgram(Deno.execPath(), [
      "run",
      ...options,
      `${folder}/main.ts`,
    ]);
    const remedy = "OpenSSL may not be loaded: run with --allow-ffi, or switch TLS off";
    equal(stdout, `Cannot use TLS: ${remedy}\n`, stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("openSsl is found in a worker, too", async () => {
  const module = new URL("../../../src/net/tls/openssl.ts", import.meta.url);
  const code = `import { openSsl, textAt } from "${module}";
    const { objectName } = openSsl();
    postMessage(textAt(objectName(672)));`;
  const worker = new Worker(`data:application/javascript,${encodeURIComponent(code)}`, {
    type: "module",
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  try {
    match(await promise, /^SHA256$/);
  } finally {
    worker.terminate();
  }
});
