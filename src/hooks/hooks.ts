/**
 * Every hook: its name, its number and which verdicts it may give. The contract in words is
 * `wit/sluice.wit`; `tests/tidy/` keeps the two equal.
 *
 * @module
 */

/** What a hook may ask for, beside going on: a bit each, as in the flags of an event. */
export const CAN = { replace: 1, respond: 2, reject: 4, close: 8, route: 16 } as const;

/** Where a hook is called. */
export type HookPlace = "control" | "worker" | "session";

interface Declared {
  readonly place: HookPlace;
  /** The sum of what is possible at best. */
  readonly can: number;
}

const { replace, respond, reject, close, route } = CAN;

/** In the order of their numbers, which begin with 1. */
const DECLARED = {
  onConfigLoaded: { place: "control", can: replace },
  onNewLogger: { place: "control", can: 0 },
  onNewPool: { place: "control", can: 0 },
  onNewClient: { place: "control", can: 0 },
  onNewProxy: { place: "control", can: 0 },
  onNewServer: { place: "control", can: 0 },
  onSignal: { place: "control", can: 0 },
  onRun: { place: "control", can: 0 },
  onBooting: { place: "control", can: 0 },
  onBooted: { place: "control", can: 0 },
  onShutdown: { place: "control", can: 0 },
  onTick: { place: "worker", can: 0 },
  onHook: { place: "worker", can: 0 },
  onOpening: { place: "session", can: close },
  onOpened: { place: "session", can: 0 },
  onClosing: { place: "session", can: 0 },
  onClosed: { place: "session", can: 0 },
  onStartup: { place: "session", can: replace + reject + close + route },
  onAuthenticated: { place: "session", can: reject + close },
  onTraffic: { place: "session", can: 0 },
  onTrafficFromClient: { place: "session", can: replace + respond + reject + close },
  onTrafficToServer: { place: "session", can: 0 },
  onTrafficFromServer: { place: "session", can: replace + close },
  onTrafficToClient: { place: "session", can: 0 },
  onQuery: { place: "session", can: replace + respond + reject + close + route },
  onRow: { place: "session", can: replace + close },
  onError: { place: "session", can: replace + close },
  onQueryEnd: { place: "session", can: 0 },
  onTransactionEnd: { place: "session", can: 0 },
} as const satisfies Readonly<Record<string, Declared>>;

/** Name of a hook, as a plugin exports it. */
export type HookName = keyof typeof DECLARED;

/** One hook. */
export interface Hook {
  readonly name: HookName;
  /** From 1; 0 is no hook. */
  readonly number: number;
  readonly place: HookPlace;
  readonly can: number;
}

/** Every hook, in the order of their numbers. */
export const HOOKS: readonly Hook[] = Object.entries<Declared>(DECLARED).map(
  ([name, { place, can }], index) => ({ name: name as HookName, number: index + 1, place, can }),
);

/** Every hook's number by its name. */
export const HOOK = Object.fromEntries(HOOKS.map(({ name, number }) => [name, number])) as Readonly<
  Record<HookName, number>
>;

/** Names of hooks. @param numbers Of hooks that there are. */
export function hookNames(numbers: readonly number[]): readonly HookName[] {
  return numbers.map((number) => HOOKS[number - 1]!.name);
}

/** Hooks that are told of single messages: a plugin says of which types. */
export const MESSAGE_HOOKS: readonly HookName[] = [
  "onTrafficFromClient",
  "onTrafficToServer",
  "onTrafficFromServer",
  "onTrafficToClient",
];
