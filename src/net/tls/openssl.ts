/**
 * The system's OpenSSL 3, called in place: Deno has no way to speak TLS as a server on a connection
 * that has spoken something else before, shows no client certificates and gives no channel binding.
 *
 * Nothing here blocks: OpenSSL is given memory to read from and to write to, never a socket.
 *
 * @module
 */

import { utf8 } from "../../base/bytes.ts";
import { asError } from "../../base/errors.ts";

const SYMBOLS_OF_LIBSSL = {
  initialize: { name: "OPENSSL_init_ssl", parameters: ["u64", "pointer"], result: "i32" },
  serverMethod: { name: "TLS_server_method", parameters: [], result: "pointer" },
  clientMethod: { name: "TLS_client_method", parameters: [], result: "pointer" },
  contextNew: { name: "SSL_CTX_new", parameters: ["pointer"], result: "pointer" },
  contextFree: { name: "SSL_CTX_free", parameters: ["pointer"], result: "void" },
  contextControl: {
    name: "SSL_CTX_ctrl",
    parameters: ["pointer", "i32", "i64", "pointer"],
    result: "i64",
  },
  contextSetOptions: {
    name: "SSL_CTX_set_options",
    parameters: ["pointer", "u64"],
    result: "u64",
  },
  contextSetNumTickets: {
    name: "SSL_CTX_set_num_tickets",
    parameters: ["pointer", "usize"],
    result: "i32",
  },
  contextSetVerify: {
    name: "SSL_CTX_set_verify",
    parameters: ["pointer", "i32", "pointer"],
    result: "void",
  },
  contextSetAlpnSelect: {
    name: "SSL_CTX_set_alpn_select_cb",
    parameters: ["pointer", "function", "pointer"],
    result: "void",
  },
  contextUseCertificate: {
    name: "SSL_CTX_use_certificate",
    parameters: ["pointer", "pointer"],
    result: "i32",
  },
  contextUseKey: {
    name: "SSL_CTX_use_PrivateKey",
    parameters: ["pointer", "pointer"],
    result: "i32",
  },
  contextStore: { name: "SSL_CTX_get_cert_store", parameters: ["pointer"], result: "pointer" },
  contextAddClientCa: {
    name: "SSL_CTX_add_client_CA",
    parameters: ["pointer", "pointer"],
    result: "i32",
  },
  contextUseSystemCas: {
    name: "SSL_CTX_set_default_verify_paths",
    parameters: ["pointer"],
    result: "i32",
  },
  sslNew: { name: "SSL_new", parameters: ["pointer"], result: "pointer" },
  sslFree: { name: "SSL_free", parameters: ["pointer"], result: "void" },
  sslSetBios: {
    name: "SSL_set_bio",
    parameters: ["pointer", "pointer", "pointer"],
    result: "void",
  },
  sslSetAcceptState: { name: "SSL_set_accept_state", parameters: ["pointer"], result: "void" },
  sslSetConnectState: { name: "SSL_set_connect_state", parameters: ["pointer"], result: "void" },
  // V8 calls a function that takes a struct the slow way, and only from there a callback may enter
  // JavaScript again. The struct is the pointer.
  sslHandshake: { name: "SSL_do_handshake", parameters: [{ struct: ["u64"] }], result: "i32" },
  sslRead: { name: "SSL_read", parameters: ["pointer", "buffer", "i32"], result: "i32" },
  sslWrite: { name: "SSL_write", parameters: ["pointer", "buffer", "i32"], result: "i32" },
  sslShutdown: { name: "SSL_shutdown", parameters: ["pointer"], result: "i32" },
  sslError: { name: "SSL_get_error", parameters: ["pointer", "i32"], result: "i32" },
  sslControl: {
    name: "SSL_ctrl",
    parameters: ["pointer", "i32", "i64", "buffer"],
    result: "i64",
  },
  sslSetAlpn: {
    name: "SSL_set_alpn_protos",
    parameters: ["pointer", "buffer", "u32"],
    result: "i32",
  },
  sslAlpn: {
    name: "SSL_get0_alpn_selected",
    parameters: ["pointer", "buffer", "buffer"],
    result: "void",
  },
  sslServerName: { name: "SSL_get_servername", parameters: ["pointer", "i32"], result: "pointer" },
  sslVerifyParameters: { name: "SSL_get0_param", parameters: ["pointer"], result: "pointer" },
  sslVerifyResult: { name: "SSL_get_verify_result", parameters: ["pointer"], result: "i64" },
  sslVersion: { name: "SSL_get_version", parameters: ["pointer"], result: "pointer" },
  sslCipher: { name: "SSL_get_current_cipher", parameters: ["pointer"], result: "pointer" },
  cipherName: { name: "SSL_CIPHER_get_name", parameters: ["pointer"], result: "pointer" },
  /** Counts a reference, to be given back with `x509Free`. */
  sslPeerCertificate: {
    name: "SSL_get1_peer_certificate",
    parameters: ["pointer"],
    result: "pointer",
  },
} as const;

const SYMBOLS_OF_LIBCRYPTO = {
  bioMemory: { name: "BIO_s_mem", parameters: [], result: "pointer" },
  bioNew: { name: "BIO_new", parameters: ["pointer"], result: "pointer" },
  bioFree: { name: "BIO_free", parameters: ["pointer"], result: "i32" },
  bioRead: { name: "BIO_read", parameters: ["pointer", "buffer", "i32"], result: "i32" },
  bioWrite: { name: "BIO_write", parameters: ["pointer", "buffer", "i32"], result: "i32" },
  bioPending: { name: "BIO_ctrl_pending", parameters: ["pointer"], result: "u32" },
  errorNext: { name: "ERR_get_error", parameters: [], result: "u64" },
  errorClear: { name: "ERR_clear_error", parameters: [], result: "void" },
  errorReason: { name: "ERR_reason_error_string", parameters: ["u64"], result: "pointer" },
  pemReadCertificate: {
    name: "PEM_read_bio_X509",
    parameters: ["pointer", "pointer", "pointer", "pointer"],
    result: "pointer",
  },
  pemReadKey: {
    name: "PEM_read_bio_PrivateKey",
    parameters: ["pointer", "pointer", "pointer", "buffer"],
    result: "pointer",
  },
  keyFree: { name: "EVP_PKEY_free", parameters: ["pointer"], result: "void" },
  digestByName: { name: "EVP_get_digestbyname", parameters: ["buffer"], result: "pointer" },
  x509Free: { name: "X509_free", parameters: ["pointer"], result: "void" },
  x509CheckKey: {
    name: "X509_check_private_key",
    parameters: ["pointer", "pointer"],
    result: "i32",
  },
  x509NotBefore: { name: "X509_get0_notBefore", parameters: ["pointer"], result: "pointer" },
  x509NotAfter: { name: "X509_get0_notAfter", parameters: ["pointer"], result: "pointer" },
  timeCompareNow: {
    name: "X509_cmp_current_time",
    parameters: ["pointer"],
    result: "i32",
  },
  x509Subject: { name: "X509_get_subject_name", parameters: ["pointer"], result: "pointer" },
  x509SignatureInfo: {
    name: "X509_get_signature_info",
    parameters: ["pointer", "buffer", "pointer", "pointer", "pointer"],
    result: "i32",
  },
  x509Digest: {
    name: "X509_digest",
    parameters: ["pointer", "pointer", "buffer", "buffer"],
    result: "i32",
  },
  x509Extension: {
    name: "X509_get_ext_d2i",
    parameters: ["pointer", "i32", "pointer", "pointer"],
    result: "pointer",
  },
  nameText: {
    name: "X509_NAME_print_ex",
    parameters: ["pointer", "pointer", "i32", "u64"],
    result: "i32",
  },
  nameFind: {
    name: "X509_NAME_get_index_by_NID",
    parameters: ["pointer", "i32", "i32"],
    result: "i32",
  },
  nameEntry: { name: "X509_NAME_get_entry", parameters: ["pointer", "i32"], result: "pointer" },
  nameEntryString: {
    name: "X509_NAME_ENTRY_get_data",
    parameters: ["pointer"],
    result: "pointer",
  },
  stringPrint: {
    name: "ASN1_STRING_print_ex",
    parameters: ["pointer", "pointer", "u64"],
    result: "i32",
  },
  stringBytes: { name: "ASN1_STRING_get0_data", parameters: ["pointer"], result: "pointer" },
  stringLength: { name: "ASN1_STRING_length", parameters: ["pointer"], result: "i32" },
  stackSize: { name: "OPENSSL_sk_num", parameters: ["pointer"], result: "i32" },
  stackValue: { name: "OPENSSL_sk_value", parameters: ["pointer", "i32"], result: "pointer" },
  generalNameValue: {
    name: "GENERAL_NAME_get0_value",
    parameters: ["pointer", "buffer"],
    result: "pointer",
  },
  generalNamesFree: { name: "GENERAL_NAMES_free", parameters: ["pointer"], result: "void" },
  storeAdd: { name: "X509_STORE_add_cert", parameters: ["pointer", "pointer"], result: "i32" },
  verifyErrorText: {
    name: "X509_verify_cert_error_string",
    parameters: ["i64"],
    result: "pointer",
  },
  verifySetHost: {
    name: "X509_VERIFY_PARAM_set1_host",
    parameters: ["pointer", "buffer", "usize"],
    result: "i32",
  },
  verifySetHostFlags: {
    name: "X509_VERIFY_PARAM_set_hostflags",
    parameters: ["pointer", "u32"],
    result: "void",
  },
  verifySetIp: {
    name: "X509_VERIFY_PARAM_set1_ip_asc",
    parameters: ["pointer", "buffer"],
    result: "i32",
  },
  objectName: { name: "OBJ_nid2sn", parameters: ["i32"], result: "pointer" },
} as const;

/** The functions of OpenSSL that are used. */
export type OpenSsl =
  & Deno.DynamicLibrary<typeof SYMBOLS_OF_LIBSSL>["symbols"]
  & Deno.DynamicLibrary<typeof SYMBOLS_OF_LIBCRYPTO>["symbols"];

/** The memory of something of OpenSSL's. */
export type Pointer = Deno.PointerObject;

// OPENSSL_INIT_NO_ATEXIT in crypto.h: without it, OpenSSL frees what other workers still use when
// the process ends.
const INIT_NO_ATEXIT = 0x80000n;

let loaded: OpenSsl | undefined;

/**
 * OpenSSL, loaded when it is first asked for, and for as long as the process lives.
 *
 * @throws {Error} If there is none; the message says what to install.
 */
export function openSsl(): OpenSsl {
  loaded ??= load();
  return loaded;
}

/** Where OpenSSL 3 is: the pairs of libssl and libcrypto to try, in this order. */
function candidates(): readonly (readonly [libssl: string, libcrypto: string])[] {
  if (Deno.build.os === "windows") {
    const suffix = Deno.build.arch === "aarch64" ? "arm64" : "x64";
    const folders = [
      "",
      "C:\\Program Files\\OpenSSL-Win64\\bin\\",
      "C:\\Program Files\\OpenSSL\\bin\\",
    ];
    return folders.map((folder) => [
      `${folder}libssl-3-${suffix}.dll`,
      `${folder}libcrypto-3-${suffix}.dll`,
    ]);
  }
  if (Deno.build.os === "darwin") {
    // Homebrew on Apple and Intel processors, MacPorts, and the search path. Never a library
    // without a version: macOS ends a process that loads its own.
    const folders = ["/opt/homebrew/opt/openssl@3/lib/", "/usr/local/opt/openssl@3/lib/"];
    return [...folders, "/opt/local/lib/", "/opt/local/libexec/openssl3/lib/", ""].map((folder) => [
      `${folder}libssl.3.dylib`,
      `${folder}libcrypto.3.dylib`,
    ]);
  }
  return [["libssl.so.3", "libcrypto.so.3"]];
}

function load(): OpenSsl {
  const causes: Error[] = [];
  for (const [libssl, libcrypto] of candidates()) {
    try {
      const crypto = Deno.dlopen(libcrypto, SYMBOLS_OF_LIBCRYPTO).symbols;
      const ssl = Deno.dlopen(libssl, SYMBOLS_OF_LIBSSL).symbols;
      if (ssl.initialize(INIT_NO_ATEXIT, null) !== 1) throw new Error(`${libssl} does not start`);
      return { ...crypto, ...ssl };
    } catch (error) {
      causes.push(asError(error));
    }
  }
  const tried = candidates().map(([libssl]) => libssl).join(", ");
  const permission = causes.find((cause) => cause instanceof Deno.errors.NotCapable);
  const why = permission === undefined
    ? `OpenSSL 3 was not found (tried ${tried}): install it (Debian and Ubuntu: libssl3, Fedora: ` +
      `openssl-libs, macOS: brew install openssl@3), or switch TLS off`
    : "OpenSSL may not be loaded: run with --allow-ffi, or switch TLS off";
  throw new Error(`Cannot use TLS: ${why}`, { cause: permission ?? causes[0] });
}

/** Text that C reads to its NUL. */
export function cText(text: string): Uint8Array<ArrayBuffer> {
  return utf8(`${text}\0`);
}

/** Text that C wrote, up to its NUL; "" for none. */
export function textAt(pointer: Deno.PointerValue): string {
  return pointer === null ? "" : Deno.UnsafePointerView.getCString(pointer);
}

/** Copies `size` bytes of C's. */
export function bytesAt(pointer: Deno.PointerValue, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  if (pointer !== null && size > 0) Deno.UnsafePointerView.copyInto(pointer, bytes);
  return bytes;
}

/** A place in memory that C cannot have failed to find. @throws {Error} If it is out of memory. */
export function allocated(pointer: Deno.PointerValue): Pointer {
  if (pointer === null) throw new Error(`OpenSSL gives no memory: ${takeErrors().text}`);
  return pointer;
}

/** Why OpenSSL failed. */
export interface OpenSslErrors {
  /** OpenSSL's own words: "wrong version number". */
  readonly text: string;
  /** True if the reason is an alert that the peer sent. */
  readonly isAlert: boolean;
}

/** Empties the list of what went wrong in the last calls, and tells the first of it, the cause. */
export function takeErrors(): OpenSslErrors {
  const { errorNext, errorReason, errorClear } = openSsl();
  const code = BigInt.asUintN(32, errorNext());
  if (code === 0n) return { text: "no reason given", isAlert: false };
  const text = textAt(errorReason(code)) || `error ${code.toString(16)}`;
  errorClear();
  // ERR_REASON_MASK in err.h; SSL_AD_REASON_OFFSET in ssl.h, plus the number of the alert.
  const reason = Number(code & 0x7fffffn);
  return { text, isAlert: reason >= 1_000 && reason < 1_256 };
}
