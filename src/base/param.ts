/**
 * Module parameters (kernel/params.c): values given when a module is loaded, shown below
 * `/sys/module/NAME/parameters` and, where the mode allows, changed there.
 * @module
 */

import { cstring, kstrtobool, kstrtoint, kstrtouint } from '../lib/kstrtox.js';
import { AttributeGroup } from '../sysfs/group.js';
import type { Module } from './module.js';

const types = {
  bool: { parse: kstrtobool, format: (value: ParameterValue) => (value ? 'Y' : 'N') },
  int: { parse: (text: string) => kstrtoint(text), format: String },
  uint: { parse: (text: string) => kstrtouint(text), format: String },
} as const;

export type ParameterValue = boolean | number;

export interface ModuleParameter {
  readonly name: string;
  readonly type: keyof typeof types;
  /** Mode of the file; 0 for a parameter without one. */
  readonly mode: number;
  readonly initial: ParameterValue;
}

/** The values of one loaded module's parameters. */
export class ModuleParameters {
  readonly #values = new Map<string, ParameterValue>();

  /**
   * @param given what the command line of insmod said, by name
   * @throws EINVAL for a value that the parameter's type does not take; ERANGE for one too large for it
   */
  constructor(
    readonly declared: readonly ModuleParameter[],
    given: Record<string, string> = {},
  ) {
    for (const parameter of declared) {
      const text = given[parameter.name];
      this.#values.set(
        parameter.name,
        text === undefined ? parameter.initial : types[parameter.type].parse(text),
      );
    }
  }

  get(name: string): ParameterValue {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`no module parameter ${name}`);
    return value;
  }

  number(name: string): number {
    return Number(this.get(name));
  }

  /** Values that are not the initial ones, as text, by name. */
  changed(): Record<string, string> {
    const changed = this.declared.filter(({ name, initial }) => this.get(name) !== initial);
    return Object.fromEntries(changed.map(({ name, type }) => [name, types[type].format(this.get(name))]));
  }

  /** @throws EINVAL, ERANGE as the type's parser does */
  set(parameter: ModuleParameter, text: string): void {
    this.#values.set(parameter.name, types[parameter.type].parse(cstring(text)));
  }
}

export function parametersGroup(declared: readonly ModuleParameter[]): AttributeGroup<Module> {
  return new AttributeGroup<Module>({
    name: 'parameters',
    attributes: declared
      .filter((parameter) => parameter.mode !== 0)
      .map((parameter) => ({
        name: parameter.name,
        mode: parameter.mode,
        show: (module) => `${types[parameter.type].format(module.parameters.get(parameter.name))}\n`,
        ...(parameter.mode & 0o222 && {
          store: (module: Module, text: string) => module.parameters.set(parameter, text),
        }),
      })),
  });
}

/**
 * Checks parameter names against what a module declares.
 * @returns names the module does not know; a kernel only logs those
 */
export function unknownParameters(
  declared: readonly ModuleParameter[],
  given: Record<string, string>,
): string[] {
  return Object.keys(given).filter((name) => !declared.some((parameter) => parameter.name === name));
}
