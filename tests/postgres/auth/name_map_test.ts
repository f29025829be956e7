import { equal, throws } from "node:assert/strict";
import { NameMap } from "../../../src/postgres/auth/name_map.ts";

Deno.test("NameMap without entries wants the certificate's name to be the user's", () => {
  const map = new NameMap();
  equal(map.allows("ann", "ann"), true);
  for (const name of ["Ann", "ann ", "an", "", "bob"]) equal(map.allows(name, "ann"), false);
  equal(map.allows("", ""), false);
});

Deno.test("NameMap allows what any entry allows, and nothing else", () => {
  const map = new NameMap([
    { certificateName: "Ann Example", user: "ann" },
    { certificateName: "Ann Example", user: "reports" },
    { certificateName: "bob", user: "bob" },
  ]);
  equal(map.allows("Ann Example", "ann"), true);
  equal(map.allows("Ann Example", "reports"), true);
  equal(map.allows("Ann Example", "bob"), false);
  equal(map.allows("ann", "ann"), false, "with a map, equal names are not enough");
  equal(new NameMap([]).allows("ann", "ann"), false);
});

Deno.test("NameMap puts the first group of an expression where the user has \\1", () => {
  const map = new NameMap([
    { certificateName: "/^(.*)@example\\.com$", user: "\\1" },
    { certificateName: "/^svc-([a-z]+)$", user: "app_\\1" },
    { certificateName: "/^guest", user: "guest" },
    { certificateName: "/^(x)?y$", user: "\\1" },
  ]);
  equal(map.allows("ann@example.com", "ann"), true);
  equal(map.allows("ann@example.com", "bob"), false);
  equal(map.allows("ann@example.com.evil.org", "ann"), false);
  equal(map.allows("svc-mail", "app_mail"), true);
  equal(map.allows("svc-mail", "mail"), false);
  equal(map.allows("guest7", "guest"), true);
  equal(map.allows("y", "\\1"), false, "the group found nothing");
  equal(map.allows("@example.com", ""), false, "the group found the empty name");
  equal(map.allows("$&@example.com", "$&"), true, "a name is no replacement pattern");
});

Deno.test("CVE-2009-4034: NameMap gives nobody a certificate whose name has a NUL", () => {
  for (const map of [new NameMap(), new NameMap([{ certificateName: "/^ann", user: "ann" }])]) {
    equal(map.allows("ann\0.evil.org", "ann"), false);
    equal(map.allows("ann\0.evil.org", "ann\0.evil.org"), false);
    equal(map.allows("ann", "ann"), true);
  }
});

Deno.test("NameMap gives nobody a name that is longer than names are", () => {
  const map = new NameMap([{ certificateName: "/^a*$", user: "ann" }]);
  equal(map.allows("a".repeat(256), "ann"), true);
  equal(map.allows("a".repeat(257), "ann"), false);
});

Deno.test("NameMap refuses maps that cannot be used, and names the entry", () => {
  throws(() => new NameMap([{ certificateName: "/(", user: "ann" }]), {
    name: "NameMapError",
    message: 'invalid name map: "/(": a group is not closed',
  });
  throws(() => new NameMap([{ certificateName: "/^ann$", user: "\\1" }]), {
    name: "NameMapError",
    message: /user "\\1" has \\1, but "\/\^ann\$" has no group/,
  });
});
