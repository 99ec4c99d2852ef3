/**
 * A vendor driver of mediated devices as data: what {@link vgpuModule} makes a module of.
 * @module
 */

import type { ModuleParameter } from '../base/param.js';
import type { PciBinding } from '../pci/binding.js';

export interface VgpuAttribute {
  /** Text; {uuid} and {type} are replaced. */
  content: string;
  /** Octal digits. */
  mode: string;
  /** Regular expression of what can be written, a last newline apart. */
  pattern?: string | undefined;
}

export interface VgpuTypeData {
  /** Second half of the directory's name. */
  name: string;
  prettyName?: string | undefined;
  description?: string | undefined;
  /** Devices that a parent may have, for policies that count by type. */
  instances?: number | undefined;
  /** What a device takes from the pool. */
  needs: Record<string, number>;
  /** By NAME or GROUP/NAME. */
  attributes: Record<string, string | VgpuAttribute>;
}

export type VgpuPolicy =
  | { rule: 'shared'; instances: number; parameter?: string | undefined }
  | { rule: 'perType' }
  | { rule: 'pool'; resources: Record<string, number> }
  | { rule: 'oneTypePerGpu' };

export interface VgpuData {
  module: string;
  /** Name of the PCI driver; the directories of types begin with it. */
  pciDriver: string;
  mdevDriver: string;
  /** As `parsePciId` reads them. */
  ids: readonly string[];
  deviceApi: string;
  policy: VgpuPolicy;
  types: readonly VgpuTypeData[];
  parameters: readonly (Omit<ModuleParameter, 'mode'> & { mode: string })[];
  binding: PciBinding;
}
