/**
 * Every metric of `docs/metrics.md` moves, and by as much as it says, when what it counts happens:
 * one that nobody feeds looks exactly like a gateway that is well.
 *
 * @module
 */

import { deepEqual } from "node:assert/strict";
import { metricReference } from "../../src/observe/metrics.ts";
import { SERVERS, World } from "../support/dialogue.ts";
import { bind, close, execute, parseNamed } from "../support/extended_messages.ts";
import {
  AUTH_OK,
  BIND,
  cancelRequest,
  complete,
  error,
  EXECUTE,
  message,
  parse,
  query,
  ready,
  SYNC,
} from "../support/messages.ts";
import {
  type Actor,
  admits,
  connects,
  exchanges,
  hearsWelcome,
  joins,
  pooledPair,
  startPooled,
} from "../support/pooled_world.ts";
import { AUTHENTICATION_SCENES } from "./authentication_scenes.ts";
import { CLOSING_SCENES } from "./closing_scenes.ts";
import type { Page, Scenes } from "./page.ts";
