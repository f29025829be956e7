/**
 * Which certificates of a configuration are shown to others: those whose end is an outage.
 *
 * @module
 */

import type { Config } from "./config/config.ts";
import type { ShownCertificate } from "./observe/certificate_expiry.ts";

/** Those of listeners, and those of clients that show one to their servers. */
export function shownCertificates(
  { servers, clients }: Pick<Config, "servers" | "clients">,
): readonly ShownCertificate[] {
  const sides = [["listener", servers], ["client", clients]] as const;
  return sides.flatMap(([side, group]) =>
    // What TLS does not use has not been read: its text is empty.
    [...group].map(([name, { tls }]) => ({ side, name, pem: tls.cert }))
  ).filter(({ pem }) => pem !== "");
}
