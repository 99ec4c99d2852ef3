/**
 * A map from names to objects that stays small while it has few entries: most directories of a machine hold one to
 * eight, and a hundred thousand of them have to fit. Up to eight entries are a flat array of exactly their size.
 * @module
 */

const FLAT_LIMIT = 8;

/** Treat as opaque: read with the functions below, and keep what {@link tableWith} and {@link tableWithout} return. */
export type NameTable<V extends object> = readonly (string | V)[] | Map<string, V>;

export function tableGet<V extends object>(table: NameTable<V> | undefined, name: string): V | undefined {
  if (!table) return undefined;
  if (table instanceof Map) return table.get(name);
  for (let i = 0; i < table.length; i += 2) if (table[i] === name) return table[i + 1] as V;
  return undefined;
}

/** The table with `name` standing for `value`. */
export function tableWith<V extends object>(
  table: NameTable<V> | undefined,
  name: string,
  value: V,
): NameTable<V> {
  if (!table) return [name, value];
  if (table instanceof Map) return table.set(name, value);
  const others = tableWithout(table, name) as readonly (string | V)[];
  if (others.length < 2 * FLAT_LIMIT) return others.concat(name, value);
  return new Map<string, V>(tableEntries(others)).set(name, value);
}

/** The table without `name`; the same one when it was not there. */
export function tableWithout<V extends object>(table: NameTable<V>, name: string): NameTable<V> {
  if (table instanceof Map) {
    table.delete(name);
    return table;
  }
  for (let i = 0; i < table.length; i += 2) {
    if (table[i] === name) return table.slice(0, i).concat(table.slice(i + 2));
  }
  return table;
}

export function* tableEntries<V extends object>(table: NameTable<V> | undefined): Generator<[string, V]> {
  if (!table) return;
  if (table instanceof Map) {
    yield* table;
    return;
  }
  for (let i = 0; i < table.length; i += 2) yield [table[i] as string, table[i + 1] as V];
}

export function tableSize<V extends object>(table: NameTable<V> | undefined): number {
  if (!table) return 0;
  return table instanceof Map ? table.size : table.length / 2;
}
