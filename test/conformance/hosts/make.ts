/**
 * Writes `q35-intel.json` and the module images of `src/machine/` from recordings:
 * `node dist/test/conformance/hosts/make.js [DIR]`, DIR being laid out like `test/data/oracle`.
 *
 * The host of the recordings is what it was before any VFIO module was loaded. What the recordings do not say (which
 * devices stand behind the links of /sys/class) is filled in from what such a machine has.
 * @module
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkFixture } from '../../../src/machine/fixture.js';
import type { ModuleImage } from '../../../src/base/module.js';
import { isLoaded, moduleImage } from '../../../src/machine/snapshot-module.js';
import type { Tree } from '../../../src/machine/tree.js';
import { recordedTree } from './recorded-tree.js';
import { q35Intel } from './q35-intel.js';
import { Recorded } from './recorded.js';

const root = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
const dir = process.argv[2] ?? root('test/data/oracle');

const read = (path: string) => JSON.parse(readFileSync(`${dir}/${path}.json`, 'utf8'));
const recorded = (path: string) => new Recorded(read(path));
const tree = (path: string) => recordedTree(read(path));

/** Every module that the recording has, but those outside the kernel tree. */
function moduleImages(of: Tree): Record<string, ModuleImage> {
  const loaded = of.dirNames('/sys/module').filter((name) => isLoaded(of, name));
  return Object.fromEntries(loaded.map((name) => [name, moduleImage(of, name)]));
}

const boot = recorded('snapshots/pci-intel-00-boot');
const vgpu = recorded('snapshots/vgpu-00-loaded');

const host = q35Intel(boot, vgpu, moduleImage(tree('snapshots/vgpu-00-loaded'), 'vgpu_oracle'));
checkFixture(host, 'q35-intel.json');
writeFileSync(root('test/conformance/hosts/q35-intel.json'), `${JSON.stringify(host, null, 2)}\n`);

const mtty = tree('snapshots/mtty-02-driver-loaded');
const mbochs = tree('snapshots/mbochs-02-driver-loaded');
const deblike = tree('deblike/mtty-02-driver-loaded');
const sources = {
  full: { ...moduleImages(mtty), ...moduleImages(mbochs) },
  deblike: moduleImages(deblike),
};
for (const [profile, images] of Object.entries(sources)) {
  const text = [
    '/**',
    ` * Facts of the modules of the \`${profile}\` kernel, as it showed them below /sys/module. Made by`,
    ' * test/conformance/hosts/make.ts.',
    ' * @module',
    ' */',
    '',
    "import type { ModuleImage } from '../base/module.js';",
    '',
    `export const ${profile}Images: Readonly<Record<string, ModuleImage>> = ${JSON.stringify(images, null, 2)};`,
    '',
  ];
  writeFileSync(root(`src/machine/images-${profile}.ts`), text.join('\n'));
}
