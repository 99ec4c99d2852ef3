/**
 * Finds where a text stops being JSON. JSON.parse does not always say, and a fixture is written by hand.
 * @module
 */

export interface JsonFault {
  /** Counted from 1. */
  line: number;
  /** Counted from 1. */
  column: number;
  expected: string;
}

class Stop extends Error {
  constructor(
    readonly offset: number,
    readonly expected: string,
  ) {
    super(expected);
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON strings must not contain them
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const WORD = /true|false|null/y;
const SPACE = /[ \t\r\n]*/y;

class Scanner {
  #at = 0;

  constructor(readonly text: string) {}

  document(): void {
    this.#value();
    this.#space();
    if (this.#at < this.text.length) this.#fail('the end of the file');
  }

  #fail(expected: string): never {
    throw new Stop(this.#at, expected);
  }

  #match(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #space(): void {
    this.#match(SPACE);
  }

  #take(character: string): boolean {
    this.#space();
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #value(): void {
    if (this.#take('{')) this.#members();
    else if (this.#take('[')) this.#elements();
    else if (this.text[this.#at] === '"') this.#string();
    else if (!this.#match(NUMBER) && !this.#match(WORD)) this.#fail('a value');
  }

  #string(): void {
    this.#space();
    if (!this.#match(STRING)) this.#fail('a string in double quotes, closed on its line');
  }

  #members(): void {
    if (this.#take('}')) return;
    do {
      this.#string();
      if (!this.#take(':')) this.#fail('":"');
      this.#value();
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}"');
  }

  #elements(): void {
    if (this.#take(']')) return;
    do this.#value();
    while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]"');
  }
}

/** Where and why a text is no JSON; undefined when it is. */
export function jsonFault(text: string): JsonFault | undefined {
  try {
    new Scanner(text).document();
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
    const lines = text.slice(0, stop.offset).split('\n');
    return { line: lines.length, column: lines.at(-1)!.length + 1, expected: stop.expected };
  }
  return undefined;
}
