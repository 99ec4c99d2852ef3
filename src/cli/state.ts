/**
 * `mdevfs mount --state FILE`: a machine that goes on where it was when its daemon ended, and whose state is in the file
 * before whoever changed it is told.
 * @module
 */

import { takeLock } from '../host/lock.js';
import { readState, StateFileError, stateFile, wayOut, writeState } from '../host/state-file.js';
import { type Fixture, FixtureError } from '../machine/fixture.js';
import type { Machine } from '../machine/machine.js';
import { checkState, type MachineState, machineState, watchState } from '../machine/state.js';
import { CommandError, failure } from './error.js';

type Log = (text: string) => void;

export class KeptState {
  #text = '';

  /** @param state what is in the file; undefined for a new one */
  private constructor(
    readonly file: string,
    readonly fixture: Fixture,
    readonly state: MachineState | undefined,
  ) {}

  /**
   * Takes the file for this process.
   * @throws CommandError when another daemon has it, and for what is no state of this machine
   */
  static async open(path: string, fixture: Fixture): Promise<KeptState> {
    const file = stateFile(path);
    if (!(await takeLock(`state:${file}`))) {
      throw failure(`${file}: another mount keeps its state there; give another file`);
    }
    const content = orFail(() => readState(file));
    if (!content) return new KeptState(file, fixture, undefined);
    if (content.fixture !== fixture.name) {
      throw failure(
        `${file}: state of the machine ${content.fixture}, not of ${fixture.name}; it is left as it is. ${wayOut}`,
      );
    }
    try {
      return new KeptState(file, fixture, checkState(content.state, file));
    } catch (error) {
      if (!(error instanceof FixtureError)) throw error;
      throw new CommandError([...error.faults, `${file}: it is left as it is. ${wayOut}`]);
    }
  }

  /**
   * Keeps the state of a machine from now on.
   * @throws CommandError when that cannot be
   */
  keep(machine: Machine, log: Log): void {
    orFail(() => this.#write(machine));
    let failed = false;
    watchState(machine, () => {
      try {
        this.#write(machine);
        if (failed) log(`mdevfs: ${this.file}: written again`);
        failed = false;
      } catch (error) {
        // Whoever wrote has what was asked for; only the next daemon would not know of it.
        if (!failed) log(`mdevfs: ${(error as Error).message}; what changes from now on will be lost`);
        failed = true;
      }
    });
  }

  #write(machine: Machine): void {
    const state = machineState(machine);
    const text = JSON.stringify(state);
    if (text === this.#text) return;
    writeState(this.file, { fixture: this.fixture.name, state });
    this.#text = text;
  }
}

function orFail<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof StateFileError ? failure(error.message) : error;
  }
}
