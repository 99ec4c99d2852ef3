/**
 * A map for names that are mostly a word and a number from the lowest up, as a kernel hands them out: `vfio12`, `12`,
 * `254:12`. Those of one word are the elements of an array, so that an entry costs one pointer and its name nothing. Other
 * names work as well, at the price of an ordinary map. Entries come by word and number, then in the order of insertion.
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
  /** The word that was asked for last, and its array: mostly it is the only one. */
  #word = '';
  #numbers: (V | undefined)[] | undefined = undefined;
  /** By name, what is in no array. */
  readonly #others = new Map<string, V>();
  #numbered = 0;

  get size(): number {
    return this.#numbered + this.#others.size;
  }

  get(name: string): V | undefined {
    const at = numberAt(name);
    const value = at < name.length ? this.#numbersOf(name, at)?.[numberFrom(name, at)] : undefined;
    return value ?? this.#other(name);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  set(name: string, value: V): void {
    const at = numberAt(name);
    const numbered =
      at < name.length && this.#other(name) === undefined && this.#setNumbered(name, at, value);
    if (!numbered) this.#others.set(name, value);
  }

  delete(name: string): boolean {
    const at = numberAt(name);
    return (at < name.length && this.#deleteNumbered(name, at)) || this.#others.delete(name);
  }

  #other(name: string): V | undefined {
    return this.#others.size > 0 ? this.#others.get(name) : undefined;
  }

  #numbersOf(name: string, at: number): (V | undefined)[] | undefined {
    if (at !== this.#word.length || !name.startsWith(this.#word)) {
      this.#word = name.slice(0, at);
      this.#numbers = this.#words.get(this.#word);
    }
    return this.#numbers;
  }

  /** @returns whether the number is within the array's bounds */
  #setNumbered(name: string, at: number, value: V): boolean {
    const number = numberFrom(name, at);
    let values = this.#numbersOf(name, at);
    if (number > 2 * (values?.length ?? 0) + SPARE_PLACES) return false;
    if (!values) {
      values = [];
      this.#numbers = values;
      this.#words.set(this.#word, values);
    }
    while (values.length < number) values.push(undefined);
    if (values[number] === undefined) this.#numbered++;
    values[number] = value;
    return true;
  }

  /** @returns whether it was there */
  #deleteNumbered(name: string, at: number): boolean {
    const number = numberFrom(name, at);
    const values = this.#numbersOf(name, at);
    if (values?.[number] === undefined) return false;
    values[number] = undefined;
    this.#numbered--;
    while (values.length > 0 && values.at(-1) === undefined) values.pop();
    if (values.length === 0) {
      this.#numbers = undefined;
      this.#words.delete(this.#word);
    }
    return true;
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
