/**
 * The certificates that this machine's administrator trusts. Deno before 2.9, and what it compiles,
 * knows only Mozilla's list; behind a company's TLS proxy the registry is then out of reach,
 * although `npm` and `curl` on the same machine reach it.
 *
 * @module
 */

/** A bundle of all public authorities has 220 kB. */
const FILE_SIZE_MAX = 4 * 1024 * 1024;

/** What npm, Node.js and OpenSSL read; each names one file. */
const VARIABLES = [
  "NPM_CONFIG_CAFILE",
  "npm_config_cafile",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
];

const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt", // Debian, Alpine, Arch
  "/etc/pki/tls/certs/ca-bundle.crt", // Red Hat
  "/etc/ssl/ca-bundle.pem", // SUSE
  "/etc/ssl/cert.pem", // macOS, BSD
];

/** PEM texts to trust in addition to Deno's own list: from the environment, and the system's. */
export async function trustedCertificates(): Promise<string[]> {
  const named = VARIABLES.map((name) => Deno.env.get(name)).filter((path) => path !== undefined);
  const texts: string[] = [];
  for (const path of new Set([...named, ...SYSTEM_BUNDLES])) {
    const text = await readBundle(path);
    if (text !== undefined) texts.push(text);
  }
  return texts;
}

async function readBundle(path: string): Promise<string | undefined> {
  try {
    const { size, isFile } = await Deno.stat(path);
    return isFile && size <= FILE_SIZE_MAX ? await Deno.readTextFile(path) : undefined;
  } catch {
    return undefined; // Not this system's path, or not for this user; others may do.
  }
}
