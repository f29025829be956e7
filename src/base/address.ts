/**
 * Where something listens, or is reached.
 *
 * @module
 */

/** A port of a host. `host` is a name, or an IPv4 or IPv6 address without brackets. */
export interface TcpAddress {
  readonly kind: "tcp";
  readonly host: string;
  readonly port: number;
}

/** A Unix socket's file. */
export interface UnixAddress {
  readonly kind: "unix";
  readonly path: string;
}

/** Either of them. */
export type Address = TcpAddress | UnixAddress;

/** An address as people write it: "127.0.0.1:5432", "[::1]:5432" or a path. */
export function addressText(address: Address): string {
  if (address.kind === "unix") return address.path;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
