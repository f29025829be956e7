import { deepStrictEqual as assertEquals } from "node:assert/strict";
import { CertificateExpiry } from "../../src/observe/certificate_expiry.ts";
import { counterBuffer, WorkerCounters } from "../../src/observe/counters.ts";
import { GatewayMetrics } from "../../src/observe/metrics.ts";
import { parseExposition } from "./exposition.ts";

// Made by openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -days ...; both sign
// themselves, and their keys were thrown away.
const SOON = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUK2xiWdxnmQ+wcGdNa1wEbiDT3Z0wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKZ2F0ZXdheTM2NTAeFw0yNjExMjExOTE4NDhaFw0yNzExMjEx
OTE4NDhaMBUxEzARBgNVBAMMCmdhdGV3YXkzNjUwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAS3Z8Ze5yDaW18FgctzDFDxOfzwcAvFAwIwnpgGci4ffaCxHYSvNPjk
0WZMRMxddig/9a2bydXLHSUYtUIjSMKzo1MwUTAdBgNVHQ4EFgQU2EqRpOKbdHxo
3kZ8nWglkZaqyEUwHwYDVR0jBBgwFoAU2EqRpOKbdHxo3kZ8nWglkZaqyEUwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA4GBTNh9U2Q+N6cQ3Xu9C
CyY6bTnrvKXonSWgl+MMLI0CIE3YwkQWoQWSh+T1Jfi0VQQiv8Sw48zm2kVmmH5V
xfiv
-----END CERTIFICATE-----
`;
const SOON_MS = Date.parse("2027-11-21T19:18:48Z");
const LATER = `-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUIrq48D8+aWpK3bN2Q8bBDjrGovkwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZ2F0ZXdheTM2NTAwHhcNMjYxMTIxMTkxODQ4WhcNMzYxMTE4
MTkxODQ4WjAWMRQwEgYDVQQDDAtnYXRld2F5MzY1MDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABJOidiQGgMNLnhS5RhRT2iuR5YWyCTDjGp8+9BTxOyLf6kvBuucg
xFavEhfAgXyPVEu60pDT+rdAOXIaAOftDlGjUzBRMB0GA1UdDgQWBBSRU3wviIV2
EzeNgiOohi5/SUyuhjAfBgNVHSMEGDAWgBSRU3wviIV2EzeNgiOohi5/SUyuhjAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIAIBhO+G8YG4GOJmqMa0
W62BuVr+FPXHrkzmsN1Sfd9aAiEA+p97c6Vq+7Sm/WCBgYVfmE5TGjjFfdRmLOv5
cIiX3pQ=
-----END CERTIFICATE-----
`;
const LATER_MS = Date.parse("2036-11-18T19:18:48Z");

function endMs(pem: string, expiry = new CertificateExpiry()): number | undefined {
  return expiry.endMs({ side: "listener", name: "main", pem });
}

Deno.test("CertificateExpiry.endMs() is when the first certificate of a text ends", () => {
  assertEquals(endMs(SOON), SOON_MS);
  assertEquals(endMs(LATER), LATER_MS);
  assertEquals(endMs(`# comments may stand between\n${LATER}\n${SOON}`), SOON_MS);
  assertEquals(endMs(SOON.replaceAll("\n", "\r\n")), SOON_MS);
});

Deno.test("CertificateExpiry.endMs() is undefined for what cannot be read, and never throws", () => {
  for (const pem of ["", "PEM", SOON.slice(0, 200), SOON.replace(/^MII/m, "AAA")]) {
    assertEquals(endMs(pem), undefined, pem);
  }
  assertEquals(endMs(SOON.replace(/^MII/m, "AAA") + LATER), LATER_MS);
});

Deno.test("CertificateExpiry.endMs() sees that a certificate was replaced", () => {
  const expiry = new CertificateExpiry();
  assertEquals([SOON, LATER, LATER].map((pem) => endMs(pem, expiry)), [
    SOON_MS,
    LATER_MS,
    LATER_MS,
  ]);
});

Deno.test("GatewayMetrics.text() shows the end of each certificate that is shown now", async () => {
  const layout = { listeners: [], pools: [] };
  let pem = SOON;
  const metrics = new GatewayMetrics({
    layout,
    workers: () => [new WorkerCounters(layout, counterBuffer(layout))],
    pools: new Map(),
    version: "1",
    certificates: () => [
      { side: "listener", name: "main", pem },
      { side: "client", name: "main", pem: LATER },
      { side: "client", name: "broken", pem: "" },
    ],
  });
  const ends = async () => {
    const families = parseExposition(await metrics.text());
    const { series } = families.get("sluice_certificate_not_after_seconds")!;
    return series.map(({ labels, value }) => [...labels.values(), value].join(" "));
  };
  const later = `client main ${LATER_MS / 1000}`;
  assertEquals(await ends(), [`listener main ${SOON_MS / 1000}`, later]);
  pem = LATER;
  assertEquals(await ends(), [`listener main ${LATER_MS / 1000}`, later]);
});
