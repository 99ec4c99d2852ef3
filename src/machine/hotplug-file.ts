/**
 * `kernel/debug/mdevfs/hotplug`: parents that come and go. Reading lists them. Writing takes a command:
 *
 *     remove NAME    unplugs a parent, a PCI function, or what a fixture brought
 *     add NAME       plugs in what was unplugged, or a fixture by its name
 *     [add ]JSON     plugs in a fixture, or a PCI function as a fixture has it
 *
 * JSON may come in several writes, as `cat host.json > hotplug` has it; the one that ends it does it.
 * @module
 */

import { cstring } from '../lib/kstrtox.js';
import { Errno, KernelError } from '../lib/errno.js';
import { after, type Sleeps } from '../lib/sleep.js';
import type { KernfsDir } from '../kernfs/dir.js';
import { listFile } from './control-file.js';
import { LineError, readLine } from './control-line.js';
import { checkFixture, type Fixture, FixtureError } from './fixture.js';
import { describeIssues } from './fixture-fault.js';
import { jsonFault } from './fixture-json.js';
import { type PciFunctionFixture, pciFunction } from './fixture-pci.js';
import type { Hotplug } from './hotplug.js';
import { moduleNames } from './modules.js';

/** Bytes of JSON that one opening may bring. */
const ROOM = 64 * 1024 * 1024;
const NAME = 'hotplug';
const JSON_BEGINS = /^\s*(?:add\s+)?\{/;

export function addHotplugFile(dir: KernfsDir, hotplug: Hotplug): void {
  listFile(dir, NAME, { lines: () => hotplug.lines, store: () => {} }, () => {
    let text = '';
    const depth = new Depth();
    return {
      store(data): Sleeps<number> {
        const piece = Buffer.from(data).toString('latin1');
        if (text === '' && !JSON_BEGINS.test(piece))
          return after(command(hotplug, cstring(piece)), () => data.length);
        if (text.length + piece.length > ROOM) throw new KernelError(Errno.EFBIG);
        text += piece;
        if (!depth.isClosedBy(piece)) return data.length;
        const json = Buffer.from(text, 'latin1')
          .toString('utf8')
          .replace(/^\s*add\s+/, '');
        text = '';
        return after(addJson(hotplug, json), () => data.length);
      },
      release() {
        if (text !== '') hotplug.machine.core.log.print('mdevfs: hotplug: the JSON was not whole');
      },
    };
  });
}

/** Counts brackets outside of strings. */
class Depth {
  #depth = 0;
  #inString = false;
  #escaped = false;

  /** Whether as many brackets were closed as were opened, once a piece of text is read. */
  isClosedBy(piece: string): boolean {
    for (const character of piece) {
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false;
        else if (character === '\\') this.#escaped = true;
        else if (character === '"') this.#inString = false;
      } else if (character === '"') this.#inString = true;
      else if (character === '{' || character === '[') this.#depth++;
      else if (character === '}' || character === ']') this.#depth--;
    }
    return this.#depth <= 0 && !this.#inString;
  }
}

/** @throws EINVAL for no command, and as {@link Hotplug} */
function command(hotplug: Hotplug, line: string): Sleeps<void> {
  const { verb, name } = readLine(hotplug.machine.core.log, NAME, () => parseHotplugCommand(line));
  return hotplug[verb](name);
}

export interface HotplugCommand {
  readonly verb: 'add' | 'remove';
  readonly name: string;
}

/**
 * Reads a line that is no JSON.
 * @throws LineError for one that makes no sense
 */
export function parseHotplugCommand(line: string): HotplugCommand {
  const [verb, name, ...rest] = line.trim().split(/\s+/);
  if (name !== undefined && rest.length === 0 && (verb === 'add' || verb === 'remove')) return { verb, name };
  throw new LineError(`expected "add NAME", "remove NAME" or JSON, got "${line.trim()}"`);
}

/**
 * Reads what is to be plugged in.
 * @param file where the text is from, for messages
 * @param modules names of modules that need not come with it
 * @throws FixtureError for what is neither a fixture nor a PCI function, with every fault
 */
export function parsePlugged(
  text: string,
  file: string,
  modules: readonly string[],
): Fixture | PciFunctionFixture {
  const malformed = jsonFault(text);
  if (malformed) {
    const { line, column, expected } = malformed;
    throw new FixtureError([`${file}:${line}:${column}: expected ${expected}`]);
  }
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || !('address' in value))
    return checkFixture(value, file, { modules });
  const checked = pciFunction.safeParse(value);
  if (checked.success) return checked.data;
  const faults = describeIssues(checked.error.issues, pciFunction, value);
  throw new FixtureError(faults.map((fault) => `${file}: ${fault}`));
}

/** @throws EINVAL for JSON that is neither a fixture nor a PCI function, and as {@link Hotplug} */
function addJson(hotplug: Hotplug, text: string): Sleeps<void> {
  const { core, loader } = hotplug.machine;
  const plugged = readLine(core.log, NAME, () => {
    try {
      return parsePlugged(text, 'JSON', [...moduleNames, ...loader.loaded]);
    } catch (error) {
      throw error instanceof FixtureError ? new LineError(error.faults[0]!) : error;
    }
  });
  return 'address' in plugged ? hotplug.addFunction(plugged) : hotplug.addFixture(plugged);
}
