/**
 * What an expression may do, decided before it is ever evaluated. Most of the language is harmless:
 * its time follows from its size. What repeats work (`exists` and its like) is multiplied out, and
 * what could make values grow without a limit (`map`, `split`, `cel.bind`) is not there.
 *
 * @module
 */

import type { ASTNode } from "@marcbachmann/cel-js";
import { ExpressionError } from "./expression_error.ts";

/** Entries of a list or a map that an expression is given; more are refused there. */
export const LIST_SIZE_MAX = 100;

/** Steps of one evaluation at most. A step was measured to take 30 to 40 ns. */
const COST_MAX = 200_000;

/** Steps of what looks at a whole value. */
const COMPARISON_COST = 10;

/** Functions, with what a call costs. */
const FUNCTIONS: Readonly<Record<string, number>> = {
  has: 1,
  size: COMPARISON_COST,
  int: 1,
  double: 1,
  string: 1,
  bool: 1,
  type: 1,
};

/** Methods, with what a call costs. */
const METHODS: Readonly<Record<string, number>> = {
  startsWith: 1,
  endsWith: 1,
  contains: COMPARISON_COST,
  indexOf: COMPARISON_COST,
  lastIndexOf: COMPARISON_COST,
  substring: 1,
  lowerAscii: COMPARISON_COST,
  upperAscii: COMPARISON_COST,
  trim: COMPARISON_COST,
  size: COMPARISON_COST,
  // Counted while it runs: see `expression.ts`.
  matches: COMPARISON_COST,
};

/** Methods that try a condition on every element. */
const MACROS = ["exists", "exists_one", "all", "filter"];

/** A call of `matches`. */
export interface MatchesCall {
  /** Where the name of the method is. */
  readonly at: number;
  readonly pattern: string;
  readonly patternAt: number;
}

/** What was found on the way. */
export interface Findings {
  /** Every name that is no field: of variables, and of elements in macros. */
  readonly names: ReadonlySet<string>;
  readonly matches: readonly MatchesCall[];
}

/**
 * Goes through a whole expression.
 *
 * @throws {ExpressionError} If it calls what there is not, or could cost too much.
 */
export function checkCost(root: ASTNode): Findings {
  const walk = new Walk();
  const cost = walk.cost(root, new Map());
  if (cost > COST_MAX) {
    const rule = "it could take too long: conditions on all elements are nested too deep";
    throw new ExpressionError(rule, 0);
  }
  return { names: walk.names, matches: walk.matches };
}

/** How large a list can be that is an element, or inside of one, by the element's name. */
type Sizes = ReadonlyMap<string, number>;

class Walk {
  readonly names = new Set<string>();
  readonly matches: MatchesCall[] = [];

  /** Steps of one evaluation, at most. */
  cost(node: ASTNode, sizes: Sizes): number {
    switch (node.op) {
      case "id":
        this.names.add(node.args);
        return 1;
      case "call": {
        const [name, args] = node.args;
        const own = costOf(FUNCTIONS, name, `function ${name}`, node.start);
        return own + this.#sum(args, sizes);
      }
      case "rcall":
        return this.#methodCost(node.args, node.end, node.input, sizes);
      case "==":
      case "!=":
      case "in":
        return COMPARISON_COST + this.#sum(node.args, sizes);
      case "+":
        // Lists are copied, however large the parts have become.
        return 1 + sizeOf(node, sizes) / 10 + this.#sum(node.args, sizes);
      default:
        return 1 + this.#sum(childrenOf(node), sizes);
    }
  }

  #sum(nodes: readonly ASTNode[], sizes: Sizes): number {
    return nodes.reduce((sum, node) => sum + this.cost(node, sizes), 0);
  }

  #methodCost(
    [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]],
    end: number,
    input: string,
    sizes: Sizes,
  ): number {
    const at = receiver.end + Math.max(0, input.slice(receiver.end, end).indexOf(name));
    const [first, second] = args;
    if (MACROS.includes(name) && first?.op === "id" && second !== undefined) {
      const size = sizeOf(receiver, sizes);
      const body = this.cost(second, new Map([...sizes, [first.args, size]]));
      return this.cost(receiver, sizes) + size * body;
    }
    const own = costOf(METHODS, name, `method ${name}`, at);
    if (name === "matches") this.#addMatches(at, first);
    return own + this.cost(receiver, sizes) + this.#sum(args, sizes);
  }

  #addMatches(at: number, pattern: ASTNode | undefined): void {
    if (pattern?.op !== "value" || typeof pattern.args !== "string") {
      const rule = "matches takes a regular expression in quotes, which no variable changes";
      throw new ExpressionError(rule, pattern?.start ?? at);
    }
    this.matches.push({ at, pattern: pattern.args, patternAt: pattern.start });
  }
}

function costOf(
  costs: Readonly<Record<string, number>>,
  name: string,
  what: string,
  at: number,
): number {
  if (Object.hasOwn(costs, name)) return costs[name]!;
  const known = Object.keys(costs).concat(costs === METHODS ? MACROS : []).join(", ");
  throw new ExpressionError(`there is no ${what} here; there are ${known}`, at);
}

/** How large any list can be that is, or is in, what a node comes to. */
function sizeOf(node: ASTNode, sizes: Sizes): number {
  switch (node.op) {
    case "id":
      return sizes.get(node.args) ?? LIST_SIZE_MAX;
    case "+":
      return sizeOf(node.args[0], sizes) + sizeOf(node.args[1], sizes);
    case "list":
    case "map":
    case "?:": {
      const children = childrenOf(node);
      return Math.max(children.length, 1, ...children.map((child) => sizeOf(child, sizes)));
    }
    case ".":
    case "[]":
      return sizeOf(node.args[0], sizes);
    case "rcall":
      return sizeOf(node.args[1], sizes);
    default:
      return 1;
  }
}

function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "!_":
    case "-_":
      return [node.args];
    case "map":
      return node.args.flat();
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    default:
      return node.args;
  }
}
