/**
 * TLS with other implementations of it at the other end, over real sockets: the `openssl` program,
 * Deno's (rustls), Node's as Deno has it, and psql.
 */

import { deepEqual, equal, match, ok } from "node:assert/strict";
import { connect as connectNode } from "node:tls";
import type { TcpAddress } from "../../../src/base/address.ts";
import { concat, textOf, utf8 } from "../../../src/base/bytes.ts";
import { DenoDriver } from "../../../src/net/deno_driver.ts";
import type { Listener, Socket, SocketHandler } from "../../../src/net/socket.ts";
import { TlsClientContext, type TlsClientSettings } from "../../../src/net/tls/client_context.ts";
import { TlsServerContext, type TlsServerSettings } from "../../../src/net/tls/server_context.ts";
import type { TlsInfo } from "../../../src/net/tls/tls_connection.ts";
import { Certificates, pem, type StandardCertificates } from "../../support/certificates.ts";
import { LISTEN } from "../../support/net_harness.ts";
import { runProgram, spawnProgram } from "../../support/programs.ts";
import { TlsEnd } from "../../support/tls_pair.ts";
import { PATIENCE_MS, within } from "../../support/wait.ts";

const ANY_PORT = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;

/** An end that says when it is closed, and closes when its peer does. */
class Told implements SocketHandler {
  readonly #noted = new TlsEnd();
  readonly #closed = Promise.withResolvers<string>();
  /** The layer. Set before anything is called. */
  socket!: Socket;
  info: TlsInfo | undefined;
  /** What is done with what was shown. */
  onText: (view: Uint8Array) => void = () => {};

  /** All that was shown, as text. */
  get text(): string {
    return this.#noted.text;
  }

  /** Why it was closed. */
  get closed(): Promise<string> {
    return within(PATIENCE_MS, "onClose", this.#closed.promise);
  }

  onData(view: Uint8Array): number {
    this.#noted.info = this.info;
    const taken = this.#noted.onData(view);
    this.onText(view);
    return taken;
  }

  onEnd(): void {
    this.socket.end();
  }

  onClose(error: Error | undefined): void {
    this.#closed.resolve(error?.message ?? "");
  }
}

/** A server that sends back what it is sent. */
class Echo implements AsyncDisposable {
  readonly certificates = new Certificates();
  readonly files: StandardCertificates = this.certificates.standard();
  readonly ends: Told[] = [];
  readonly #context: TlsServerContext;
  #listener: Listener | undefined;

  constructor(settings: Partial<TlsServerSettings> = {}) {
    const { ca, server } = this.files;
    this.#context = TlsServerContext.load({
      certificate: pem(server.certFile),
      key: pem(server.keyFile),
      ca: pem(ca.certFile),
      clientCertificates: "none",
      minVersion: "TLSv1.2",
      alpn: ["postgresql"],
      ...settings,
    });
  }

  get address(): TcpAddress {
    return this.#listener!.address as TcpAddress;
  }

  async listen(onConnection: (socket: Socket) => void = (socket) => this.serve(socket)) {
    this.#listener = await new DenoDriver().listen({ ...LISTEN, address: ANY_PORT }, {
      onConnection,
      onAcceptError(error) {
        throw error;
      },
    });
    return this;
  }

  serve(socket: Socket): Told {
    const end = new Told();
    this.ends.push(end);
    end.socket = this.#context.accept(socket, (info) => end.info = info);
    end.onText = (view) => end.socket.write(view);
    end.socket.start(end);
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener?.close();
    for (const end of this.ends) end.socket.destroy();
    for (const end of this.ends) await end.closed;
    this.#context.close();
    this.certificates[Symbol.dispose]();
  }
}

/** Runs `openssl s_client`, which leaves when its input has ended. */
function sClient({ address, files }: Echo, args: readonly string[], stdin = "hello\n") {
  const target = ["-connect", `127.0.0.1:${address.port}`, "-CAfile", files.ca.certFile];
  return runProgram("openssl", ["s_client", ...target, ...args], { stdin });
}

Deno.test("TlsServerContext serves openssl s_client, with TLS 1.2 and 1.3", async () => {
  await using echo = await new Echo().listen();
  for (const [version, name] of [["-tls1_2", "TLSv1.2"], ["-tls1_3", "TLSv1.3"]] as const) {
    const alpn = ["-alpn", "postgresql", "-servername", "db.example"];
    const { stdout, code } = await sClient(echo, [version, ...alpn, "-verify_return_error"]);
    equal(code, 0);
    match(stdout, new RegExp(`New, ${name}, Cipher is `));
    match(stdout, /ALPN protocol: postgresql/);
    match(stdout, /Verification: OK/);
    match(stdout, /Compression: NONE/);
    const { info } = echo.ends.at(-1)!;
    const { protocol, alpn: chosen, serverName } = info!;
    deepEqual([protocol, chosen, serverName], [name, "postgresql", "db.example"]);
    ok(!stdout.includes("New Session Ticket arrived"), "there are no tickets");
  }
});

Deno.test("TlsServerContext refuses versions that are older than it is told", async () => {
  const cases = [
    ["TLSv1.2", ["-tls1", "-tls1_1"], "-tls1_2"],
    ["TLSv1.3", ["-tls1_2"], "-tls1_3"],
  ] as const;
  for (const [minVersion, refused, accepted] of cases) {
    await using echo = await new Echo({ minVersion }).listen();
    for (const version of refused) {
      const { code } = await sClient(echo, [version, "-cipher", "ALL:@SECLEVEL=0"]);
      equal(code, 1, version);
      match(await echo.ends.at(-1)!.closed, /TLS handshake with .*: unsupported protocol$/);
    }
    equal((await sClient(echo, [accepted])).code, 0);
  }
});

Deno.test("TlsServerContext refuses to negotiate again", async () => {
  await using echo = await new Echo().listen();
  const stdin = new TransformStream<Uint8Array, Uint8Array>();
  const writer = stdin.writable.getWriter();
  const target = ["-connect", `127.0.0.1:${echo.address.port}`, "-tls1_2"];
  const child = spawnProgram("openssl", ["s_client", ...target], { stdin: stdin.readable });
  const said = saidBy(child.stderr);
  const draining = child.stdout.pipeTo(new WritableStream());
  await writer.write(utf8("R\n")); // asks for it
  await said(/no renegotiation/);
  await writer.close().catch(() => {}); // the program may be gone
  await Promise.all([said(), draining, child.status]);
});

Deno.test("TlsServerContext goes on after a client has changed its key", async () => {
  await using echo = await new Echo().listen();
  const stdin = new TransformStream<Uint8Array, Uint8Array>();
  const writer = stdin.writable.getWriter();
  const target = ["-connect", `127.0.0.1:${echo.address.port}`, "-tls1_3"];
  const child = spawnProgram("openssl", ["s_client", ...target], { stdin: stdin.readable });
  const said = saidBy(child.stderr);
  const answered = saidBy(child.stdout);
  // K asks both sides for new keys; the program reads it as a command if it is all there is.
  await writer.write(utf8("K\n"));
  await said(/KEYUPDATE/);
  await writer.write(utf8("after\n"));
  await answered(/^after$/m);
  await writer.close();
  equal((await child.status).code, 0);
  await Promise.all([said(), answered()]);
});

/** Reads what a program says. @returns What waits for words, or for the end without any. */
function saidBy(stream: ReadableStream<Uint8Array>): (words?: RegExp) => Promise<string[]> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return async (words) => {
    for (;;) {
      const found = words?.exec(text);
      if (found) return found;
      const { value, done } = await within(PATIENCE_MS, `${words}`, reader.read());
      ok(!done || words === undefined, `it ended without ${words}: ${text}`);
      if (done) return [];
      text += value;
    }
  };
}

Deno.test("TlsServerContext serves Deno's client, and one that shows a certificate", async () => {
  await using echo = await new Echo({ clientCertificates: "require" }).listen();
  const { ca, client } = echo.files;
  const sent = new Uint8Array(1_000_000).map((_, i) => i % 251);
  const options = {
    hostname: "localhost",
    port: echo.address.port,
    caCerts: [pem(ca.certFile).text],
  };
  const conn = await Deno.connectTls({
    ...options,
    alpnProtocols: ["postgresql"],
    cert: pem(client.certFile).text,
    key: pem(client.keyFile).text,
  });
  const { alpnProtocol } = await conn.handshake();
  equal(alpnProtocol, "postgresql");
  const writing = (async () => {
    for (let at = 0; at < sent.length;) at += await conn.write(sent.subarray(at, at + 70_000));
  })();
  const received = [];
  for (let size = 0; size < sent.length;) {
    const buffer = new Uint8Array(100_000);
    const read = await conn.read(buffer);
    received.push(buffer.subarray(0, read!));
    size += read!;
  }
  await writing;
  deepEqual(concat(...received), sent);
  equal(echo.ends[0]!.info!.peerCertificate!.commonName, "alice");
  conn.close();
  equal(await echo.ends[0]!.closed, "");
});

Deno.test("TlsServerContext serves Node's client", async () => {
  await using echo = await new Echo().listen();
  const { port } = echo.address;
  const socket = connectNode({ host: "127.0.0.1", port, ca: pem(echo.files.ca.certFile).text });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.on("data", (bytes: Uint8Array) => resolve(textOf(bytes)));
  socket.on("error", reject);
  socket.write("hello");
  equal(await within(PATIENCE_MS, "the echo", promise), "hello");
  const closed = new Promise((resolve) => socket.on("close", resolve));
  socket.end();
  await closed;
});

Deno.test("TlsServerContext serves psql, which checks the certificate", async () => {
  await using echo = new Echo();
  const parameters: string[] = [];
  await echo.listen((socket) => {
    socket.start({
      onData(view) {
        if (view.length < 8) return 0;
        socket.write(utf8("S"));
        const end = echo.serve(socket);
        end.onText = (message) => {
          parameters.push(textOf(message).replaceAll("\0", " "));
          end.socket.write(concat(utf8("E\0\0\0\x19SFATAL\0C28000\0Mno\0\0".padEnd(26, "\0"))));
          end.socket.end();
        };
        return 8;
      },
      onEnd() {},
      onClose() {},
    });
  });
  const { port } = echo.address;
  const url = `host=localhost hostaddr=127.0.0.1 port=${port} user=alice dbname=db ` +
    `sslmode=verify-full sslrootcert=${echo.files.ca.certFile}`;
  const { stderr, code } = await runProgram("psql", [url, "-c", "select 1"]);
  equal(code, 2);
  match(stderr, /FATAL: +no/);
  match(parameters.join(), /user alice database db/);
});

/** Connects as a client, says hello, and gives the end once it has heard as much, or has failed. */
async function greet(port: number, settings: Partial<TlsClientSettings>) {
  const context = TlsClientContext.load({
    mode: "verify-full",
    ca: "system",
    minVersion: "TLSv1.2",
    ...settings,
  });
  const address = { ...ANY_PORT, port };
  const options = { ...LISTEN, address, timeoutMs: PATIENCE_MS };
  const end = new Told();
  const heard = Promise.withResolvers<string>();
  end.onText = () => {
    if (end.text.length >= 6) heard.resolve("");
  };
  const socket = await new DenoDriver().connect(options);
  const onSecured = (info: TlsInfo) => end.info = info;
  end.socket = context.connect(socket, { host: "localhost", alpn: ["postgresql"], onSecured });
  end.socket.start(end);
  end.socket.write(utf8("hello\n"));
  const failure = await Promise.race([heard.promise, end.closed]);
  end.socket.end();
  await end.closed;
  context.close();
  return { end, failure };
}

Deno.test("TlsClientContext talks to openssl s_server", async () => {
  using certificates = new Certificates();
  const { ca, server, client } = certificates.standard();
  const child = spawnProgram("openssl", [
    ...["s_server", "-accept", "127.0.0.1:0", "-rev", "-alpn", "postgresql"],
    ...["-cert", server.certFile, "-key", server.keyFile, "-CAfile", ca.certFile],
    ...["-Verify", "1", "-verify_return_error"],
  ]);
  const said = saidBy(child.stdout);
  const [, port] = await said(/^ACCEPT 127\.0\.0\.1:(\d+)$/m);
  const draining = Promise.all([said(), child.stderr.pipeTo(new WritableStream())]);
  try {
    const shown = { certificate: pem(client.certFile), key: pem(client.keyFile) };
    const { end, failure } = await greet(Number(port), { ca: pem(ca.certFile), ...shown });
    equal(failure, "");
    equal(end.text, "olleh\n");
    equal(end.info!.alpn, "postgresql");
    match(
      (await greet(Number(port), { ca: pem(ca.certFile) })).failure,
      /the peer refuses: .*certificate required/,
    );
    match(
      (await greet(Number(port), {})).failure,
      /verify failed: self-signed certificate in certificate chain$/,
    );
  } finally {
    child.kill("SIGKILL");
    await child.status;
    await draining;
  }
});

Deno.test("TlsClientContext talks to Deno's server", async () => {
  using certificates = new Certificates();
  const { ca, server } = certificates.standard();
  const files = { cert: pem(server.certFile).text, key: pem(server.keyFile).text };
  const listener = Deno.listenTls({
    ...{ hostname: "127.0.0.1", port: 0, alpnProtocols: ["postgresql"] },
    ...files,
  });
  const serving = (async () => {
    const conn = await listener.accept();
    await conn.readable.pipeTo(conn.writable).catch(() => {});
  })();
  const { end, failure } = await greet((listener.addr as Deno.NetAddr).port, {
    ca: pem(ca.certFile),
  });
  deepEqual([failure, end.text, end.info!.alpn], ["", "hello\n", "postgresql"]);
  await serving;
  listener.close();
});
