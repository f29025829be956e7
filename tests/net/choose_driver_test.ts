/**
 * Which driver a gateway runs on, and what it says of that.
 *
 * @module
 */

import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { messageOf } from "../../src/base/errors.ts";
import { chooseDriver } from "../../src/net/choose_driver.ts";
import { ERRNO, isSupported, type LibC, libC } from "../../src/net/native/libc.ts";
import { failing } from "../support/faulty_libc.ts";
import { openedLibC } from "../support/opened_libc.ts";

const ENOSYS = 38;

Deno.test("chooseDriver takes the first one that works", { ignore: !isSupported() }, async () => {
  const reason = "its self-test has passed";
  const epoll = await chooseDriver("auto", 1, libC, ["epoll"]);
  deepEqual(epoll, { driver: "epoll", reason });
  deepEqual(await chooseDriver("epoll"), { driver: "epoll", reason: "runtime.driver says so" });
  const { driver } = await chooseDriver("auto");
  const ring = await chooseDriver("io_uring").catch(messageOf);
  if (typeof ring !== "string") return equal(driver, "io_uring");
  const why = ring.replace("Cannot use runtime.driver io_uring: ", "").replace(/; auto .*/, "");
  deepEqual(await chooseDriver("auto"), {
    driver: "epoll",
    reason: `${reason}; io_uring does not work here: ${why}`,
  });
});

Deno.test("chooseDriver takes Deno's where it is told to, and tries nothing", async () => {
  const open = () => {
    throw new Error("nobody asked for it");
  };
  const reason = "runtime.driver says so";
  deepEqual(await chooseDriver("deno", 1, open), { driver: "deno", reason });
});

Deno.test("chooseDriver takes Deno's where there is no library", async () => {
  const open = () => {
    throw new Error("libc.so.6: cannot open shared object file");
  };
  deepEqual(await chooseDriver("auto", 1, open), {
    driver: "deno",
    reason: ["io_uring", "epoll"].map((driver) =>
      `${driver} does not work here: libc.so.6: cannot open shared object file`
    ).join("; "),
  });
  await rejects(chooseDriver("epoll", 1, open), {
    message: "Cannot use runtime.driver epoll: libc.so.6: cannot open shared object file; " +
      "auto chooses what works, and deno works everywhere",
  });
});

/** A library in which a call always fails, and which notes what is open. */
function without(
  call: "accept4" | "connect" | "epoll_create1" | "epoll_ctl" | "epoll_wait" | "eventfd" | "send",
  open: Set<number>,
): LibC {
  const errno = call === "accept4" ? ERRNO.EMFILE : ENOSYS;
  const libC = openedLibC();
  const noting = (fd: number) => {
    if (fd >= 0) open.add(fd);
    return fd;
  };
  const counted: LibC = Object.defineProperty(
    {
      ...libC,
      socket: (...args: Parameters<LibC["socket"]>) => noting(libC.socket(...args)),
      accept4: (...args: Parameters<LibC["accept4"]>) => noting(libC.accept4(...args)),
      eventfd: (...args: Parameters<LibC["eventfd"]>) => noting(libC.eventfd(...args)),
      "epoll_create1": (flags: number) => noting(libC.epoll_create1(flags)),
      close(fd: number) {
        open.delete(fd);
        return libC.close(fd);
      },
    },
    "errno",
    { get: () => libC.errno },
  ) as LibC;
  return failing(counted, call, () => errno);
}

for (
  const call of [
    "accept4",
    "connect",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "eventfd",
    "send",
  ] as const
) {
  Deno.test(
    `chooseDriver takes Deno's where ${call} does not work, and leaves nothing open`,
    { ignore: !isSupported() },
    async () => {
      const open = new Set<number>();
      const { driver, reason } = await chooseDriver(
        "auto",
        1,
        () => without(call, open),
        ["epoll"],
      );
      equal(driver, "deno");
      match(reason, /^epoll does not work here: ./);
      deepEqual([...open], []);
    },
  );
}
