import { bind, execute, parseNamed } from "../../support/extended_messages.ts";
import { complete, error, message, parameterStatus, query, ready } from "../../support/messages.ts";
import {
  answersRead,
  connects,
  exchanges,
  hearsWelcome,
  pooledPair,
  setting,
} from "../../support/pooled_world.ts";

Deno.test("SessionParameters keep what is set behind RESET ALL in the same Query", async () => {
  const zone = "America/Lima";
  const { world, server } = await pooledPair();
  const client = await connects(world, { TimeZone: zone });
  await server.hears(query(setting({ timezone: zone })));
  await server.says(complete("SELECT 1"), parameterStatus("TimeZone", zone), ready());
  await hearsWelcome(world, client, { TimeZone: zone });
  await client.says(query("reset all; set timezone = 'Asia/Tokyo'"));
  server.peer.take();
  const done = [complete("RESET"), complete("SET"), parameterStatus("TimeZone", "Asia/Tokyo")];
  await server.says(...done, ready());
  await client.hears(...done, ready());
  await answersRead(server, "timezone", "Asia/Tokyo");
  await exchanges(client, server, "show timezone", "SHOW");
});

Deno.test("SessionParameters keep what statements of one request reset and set apart", async () => {
  const zone = "America/Lima";
  const cases = {
    "reset timezone": ["set timezone = 'UTC'", "UTC", "UTC"],
    "reset all": ["set timezone = 'UTC'", "UTC", "UTC"],
    "set timezone = 'UTC'": ["reset timezone", undefined, "UTC"],
    "reset timezone; set timezone = 'Japan'": ["reset timezone", undefined, "UTC"],
    "reset work_mem": ["set timezone = 'UTC'", "UTC", "UTC"],
    "reset timezone;": ["reset work_mem", undefined, "UTC"],
  } as const;
  for (const [first, [second, told, reported]] of Object.entries(cases)) {
    const { world, server } = await pooledPair();
    const client = await connects(world, { TimeZone: zone });
    await server.hears(query(setting({ timezone: zone })));
    await server.says(complete("SELECT 1"), parameterStatus("TimeZone", zone), ready());
    await hearsWelcome(world, client, { TimeZone: zone });
    await client.says(parseNamed("", first), bind(), execute(), query(second));
    server.peer.take();
    const done = [message("1"), message("2"), complete("DONE"), complete("DONE")];
    await server.says(...done, parameterStatus("TimeZone", reported), ready());
    const heard = told === undefined ? [] : [parameterStatus("TimeZone", told)];
    await client.hears(...done, ...heard, ready());
  }
});

Deno.test("SessionParameters tell of a SET behind a RESET in a transaction, to what a server has of its own", async () => {
  const zone = "America/Lima";
  for (const hasFailed of [false, true]) {
    const { world, server } = await pooledPair();
    const client = await connects(world, { TimeZone: zone });
    await server.hears(query(setting({ timezone: zone })));
    await server.says(complete("SELECT 1"), parameterStatus("TimeZone", zone), ready());
    await hearsWelcome(world, client, { TimeZone: zone });
    await client.says(query("begin; reset timezone"));
    server.peer.take();
    const done = [complete("BEGIN"), complete("RESET")];
    await server.says(...done, parameterStatus("TimeZone", "UTC"), ready("T"));
    await client.hears(...done, ready("T"));
    await client.says(query("set timezone = 'UTC'"));
    server.peer.take();
    if (hasFailed) {
      const failed = error("ERROR", "57014", "canceled");
      await server.says(failed, parameterStatus("TimeZone", zone), ready("E"));
      await client.hears(failed, ready("E"));
    } else {
      await server.says(complete("SET"), ready("T"));
      await client.hears(complete("SET"), parameterStatus("TimeZone", "UTC"), ready("T"));
      await exchanges(client, server, "select 1", "SELECT 1", "T");
    }
  }
});
