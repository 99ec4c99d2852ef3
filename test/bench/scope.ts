/**
 * What has to be undone, in the opposite order of its doing. A step that fails keeps no other from being taken.
 * @module
 */

type Undo = () => Promise<void> | void;

export class Scope {
  readonly #undos: Undo[] = [];

  defer(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** @returns what went wrong on the way */
  async close(): Promise<Error[]> {
    const faults: Error[] = [];
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      try {
        await undo();
      } catch (error) {
        faults.push(error as Error);
      }
    }
    return faults;
  }

  /** Does something within a scope of its own. */
  static async with<T>(body: (scope: Scope) => Promise<T>): Promise<T> {
    const scope = new Scope();
    try {
      return await body(scope);
    } finally {
      for (const fault of await scope.close()) console.error(`bench: left behind: ${fault.message}`);
    }
  }
}
