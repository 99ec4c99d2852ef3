/**
 * What is made from recordings: the host of the recordings, and facts of the modules of both kernels.
 *
 * The host is what it was before any VFIO module was loaded. What the recordings do not say (which devices stand behind
 * the links of /sys/class) is filled in from what such a machine has.
 * @module
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ModuleImage } from '../../../src/base/module.js';
import { checkFixture, type FixtureInput } from '../../../src/machine/fixture.js';
import { isLoaded, moduleImage } from '../../../src/machine/snapshot-module.js';
import type { Tree } from '../../../src/machine/tree.js';
import { q35Intel } from './q35-intel.js';
import { Recorded } from './recorded.js';
import { recordedTree } from './recorded-tree.js';

type Images = Readonly<Record<string, ModuleImage>>;

const read = (path: string) =>
  JSON.parse(
    readFileSync(fileURLToPath(new URL(`../../../../test/data/${path}.json`, import.meta.url)), 'utf8'),
  );
const recorded = (path: string) => new Recorded(read(path));
const tree = (path: string) => recordedTree(read(path));

/** Every module that the recording has, but those outside the kernel tree. */
function imagesOf(of: Tree): Images {
  const loaded = of.dirNames('/sys/module').filter((name) => isLoaded(of, name));
  return Object.fromEntries(loaded.map((name) => [name, moduleImage(of, name)]));
}

/** The host that `q35-intel.json` is. */
export function recordedHost(): FixtureInput {
  const boot = recorded('host/pci-intel-00-boot');
  const vgpu = 'oracle/snapshots/vgpu-00-loaded';
  const host = q35Intel(boot, recorded(vgpu), moduleImage(tree(vgpu), 'vgpu_oracle'));
  checkFixture(host, 'q35-intel.json');
  return host;
}

/** Facts of modules by kernel, as in `src/machine/images-*.ts`. */
export const recordedImages = (): Record<'full' | 'deblike', Images> => ({
  full: {
    ...imagesOf(tree('oracle/snapshots/mtty-02-driver-loaded')),
    ...imagesOf(tree('oracle/snapshots/mbochs-02-driver-loaded')),
  },
  deblike: imagesOf(tree('oracle/deblike/mtty-02-driver-loaded')),
});
