/**
 * Patterns with `*` for any characters: as few as possible for each, but for the last one. SQL has
 * stars of its own, which are written with a backslash before them. Time grows with the product of
 * sizes at worst, as nothing that has matched is tried again.
 */

/** A pattern, cut at its stars. */
export class Pattern {
  private readonly parts: string[] = new Array<string>();

  /** @param isPrefix A prefix has no stars but its own, and anything may stand behind it. */
  constructor(text: string, readonly isPrefix: bool = false) {
    let part = "";
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (isPrefix || c != 42) {
        if (!isPrefix && c == 92 && next == 42) i += 1;
        part += text.charAt(i);
      } else {
        this.parts.push(part);
        part = "";
      }
    }
    this.parts.push(part);
  }

  /** How many stars there are. */
  get stars(): i32 {
    return this.parts.length - 1;
  }

  /**
   * What stood for each star, and for a prefix what stands behind it; null if the text does not
   * match. `compared` is the text as it is looked at, and `text` what is taken.
   */
  match(compared: string, text: string): string[] | null {
    const parts = this.parts;
    const captured = new Array<string>();
    if (!compared.startsWith(parts[0])) return null;
    let at = parts[0].length;
    for (let i = 1; i < parts.length; i++) {
      const isLast = i == parts.length - 1 && !this.isPrefix;
      const found = isLast
        ? endOf(compared, parts[i], at)
        : compared.indexOf(parts[i], at);
      if (found < 0) return null;
      captured.push(text.substring(at, found));
      at = found + parts[i].length;
    }
    if (this.isPrefix) captured.push(text.substring(at));
    else if (at != text.length) return null;
    return captured;
  }
}

/** Where the end stands, if it is at the end and not before `from`. */
function endOf(text: string, end: string, from: i32): i32 {
  const at = text.length - end.length;
  return at >= from && text.endsWith(end) ? at : -1;
}

/** A replacement: `$1` is what stood for the first star, `$$` a dollar. */
export class Replacement {
  private readonly parts: string[] = new Array<string>();
  private readonly numbers: i32[] = new Array<i32>();
  /** The largest number in it. */
  largest: i32 = 0;

  constructor(text: string, isLiteral: bool) {
    let part = "";
    for (let i = 0; i < text.length; i++) {
      const c = text.charCodeAt(i);
      const next = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      if (isLiteral || c != 36) part += text.charAt(i);
      else if (next == 36) {
        part += "$";
        i += 1;
      } else if (next >= 49 && next <= 57) {
        this.parts.push(part);
        this.numbers.push(next - 48);
        if (next - 48 > this.largest) this.largest = next - 48;
        part = "";
        i += 1;
      } else part += "$";
    }
    this.parts.push(part);
  }

  apply(captured: string[]): string {
    let result = this.parts[0];
    for (let i = 0; i < this.numbers.length; i++) {
      result += captured[this.numbers[i] - 1] + this.parts[i + 1];
    }
    return result;
  }
}
