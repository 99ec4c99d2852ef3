/**
 * A vendor driver of mediated devices as data: what {@link vgpuModule} makes a module of.
 * @module
 */

import type { ModuleParameter } from '../base/param.js';
import type { PciBinding } from '../pci/binding.js';

export interface VgpuAttribute {
  /** Text, with {KEY} places. */
  content: string;
  /** Octal digits. */
  mode: string;
  /** Regular expression of what can be written, a last newline apart. */
  pattern?: string | undefined;
}

/** By NAME or GROUP/NAME; a text is a read-only attribute. */
export type VgpuAttributes = Record<string, string | VgpuAttribute>;

export interface VgpuTypeData {
  /** Second half of the directory's name. */
  name: string;
  /** Parents that offer it, by address; all of them when not given. */
  parents?: readonly string[] | undefined;
  prettyName?: string | undefined;
  description?: string | undefined;
  /** Devices that a parent may have, for policies that count by type. */
  instances?: number | undefined;
  /** What a device takes from the pool. */
  needs: Record<string, number>;
  /** Of every device of the type, beside and before those of all devices. */
  attributes: VgpuAttributes;
  /** Of the type itself. */
  typeAttributes: VgpuAttributes;
}

export type VgpuPolicy =
  | { rule: 'shared'; instances: number; parameter?: string | undefined }
  | { rule: 'perType' }
  | { rule: 'pool'; resources: Record<string, number> }
  | { rule: 'oneTypePerGpu' }
  | { rule: 'onePerFunction' };

export interface VgpuData {
  module: string;
  /** Name of the PCI driver; the directories of types begin with it. */
  pciDriver: string;
  mdevDriver: string;
  /** As `parsePciId` reads them. */
  ids: readonly string[];
  deviceApi: string;
  /** Whether types have a `name` file. */
  names: boolean;
  policy: VgpuPolicy;
  /** Of every device. */
  attributes: VgpuAttributes;
  /** Of every parent. */
  parentAttributes: VgpuAttributes;
  types: readonly VgpuTypeData[];
  parameters: readonly (Omit<ModuleParameter, 'mode'> & { mode: string })[];
  binding: PciBinding;
}
