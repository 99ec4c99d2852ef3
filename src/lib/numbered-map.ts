/**
 * A map for names that are mostly a word and a number from the lowest up, as a kernel hands them out: `vfio12`, `12`,
 * `254:12`. Those of one word are the elements of an array, so that an entry costs one pointer and its name nothing. Other
 * names work as well, at the price of an ordinary map. Entries come in no particular order.
 * @module
 */

/** A longer word is no family of names: a UUID, say, whose last digits happen to look like a number. */
const LONGEST_WORD = 8;
const LONGEST_NUMBER = 7;
/** An array may have this many more places than twice its entries; a number beyond is kept by its name. */
const SPARE_PLACES = 64;

const ZERO = 0x30;
const NINE = 0x39;

/** Where the number at the end of a name begins; the length of the name when it has none, or one written unusually. */
function numberAt(name: string): number {
  let at = name.length;
  while (at > 0 && name.charCodeAt(at - 1) >= ZERO && name.charCodeAt(at - 1) <= NINE) at--;
  const digits = name.length - at;
  const leadingZero = digits > 1 && name.charCodeAt(at) === ZERO;
  return at > LONGEST_WORD || digits > LONGEST_NUMBER || leadingZero ? name.length : at;
}

function numberFrom(name: string, at: number): number {
  let number = 0;
  for (let i = at; i < name.length; i++) number = number * 10 + name.charCodeAt(i) - ZERO;
  return number;
}

export class NumberedMap<V extends object | number> {
  /** By word, then by number. An array never ends with an empty place. */
  readonly #words = new Map<string, (V | undefined)[]>();
  readonly #others = new Map<string, V>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(name: string): V | undefined {
    const at = numberAt(name);
    const numbered = at < name.length && this.#words.get(name.slice(0, at))?.[numberFrom(name, at)];
    return numbered || numbered === 0 ? numbered : this.#others.get(name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  set(name: string, value: V): void {
    if (!this.has(name)) this.#size++;
    const at = numberAt(name);
    if (at === name.length || this.#others.has(name) || !this.#setNumbered(name, at, value)) {
      this.#others.set(name, value);
    }
  }

  #setNumbered(name: string, at: number, value: V): boolean {
    const word = name.slice(0, at);
    const number = numberFrom(name, at);
    const values = this.#words.get(word);
    if (number > 2 * (values?.length ?? 0) + SPARE_PLACES) return false;
    if (!values)
      this.#words.set(
        word,
        Array.from({ length: number + 1 }, (_, i) => (i === number ? value : undefined)),
      );
    else {
      while (values.length < number) values.push(undefined);
      values[number] = value;
    }
    return true;
  }

  delete(name: string): boolean {
    if (!this.has(name)) return false;
    this.#size--;
    if (!this.#others.delete(name)) this.#deleteNumbered(name, numberAt(name));
    return true;
  }

  #deleteNumbered(name: string, at: number): void {
    const word = name.slice(0, at);
    const values = this.#words.get(word)!;
    values[numberFrom(name, at)] = undefined;
    while (values.length > 0 && values.at(-1) === undefined) values.pop();
    if (values.length === 0) this.#words.delete(word);
  }

  *entries(): Generator<[string, V]> {
    for (const [word, values] of this.#words) {
      for (const [number, value] of values.entries())
        if (value !== undefined) yield [`${word}${number}`, value];
    }
    yield* this.#others;
  }

  *keys(): Generator<string> {
    for (const [name] of this.entries()) yield name;
  }

  *values(): Generator<V> {
    for (const [, value] of this.entries()) yield value;
  }
}
