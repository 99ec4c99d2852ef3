/**
 * `mdevfs mount --state FILE`: a machine that goes on where it was when its daemon ended, and whose state is in the file
 * before whoever changed it is told.
 * @module
 */

import { StateFile, StateFileError, wayOut } from '../host/state-file.js';
import { type Fixture, FixtureError } from '../machine/fixture.js';
import type { Machine } from '../machine/machine.js';
import { checkState, type MachineState, machineState, watchState } from '../machine/state.js';
import { CommandError, failure } from './error.js';

type Log = (text: string) => void;

export class KeptState {
  #text = '';

  /** Its path. */
  readonly file: string;
  readonly #file: StateFile;

  /** @param state what is in the file; undefined for a new one */
  private constructor(
    file: StateFile,
    readonly fixture: Fixture,
    readonly state: MachineState | undefined,
  ) {
    this.file = file.path;
    this.#file = file;
  }

  /**
   * Takes the file for this process.
   * @throws CommandError when another daemon has it, and for what is no state of this machine
   */
  static open(path: string, fixture: Fixture): KeptState {
    const kept = orFail(() => StateFile.at(path));
    const file = kept.path;
    if (!orFail(() => kept.lock())) {
      throw failure(`${file}: another mount keeps its state there; give another file`);
    }
    const content = orFail(() => kept.read());
    if (!content) return new KeptState(kept, fixture, undefined);
    if (content.fixture !== fixture.name) {
      throw failure(
        `${file}: state of the machine ${content.fixture}, not of ${fixture.name}; it is left as it is. ${wayOut}`,
      );
    }
    try {
      return new KeptState(kept, fixture, checkState(content.state, file));
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
    this.#file.write({ fixture: this.fixture.name, state });
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
