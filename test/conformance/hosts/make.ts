/**
 * Writes `q35-intel.json` and the module images of `src/machine/` from recordings:
 * `node dist/test/conformance/hosts/make.js && npx biome format --write .`
 * @module
 */

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { recordedHost, recordedImages } from './generated.js';

const root = (path: string) => fileURLToPath(new URL(`../../../../${path}`, import.meta.url));

writeFileSync(root('test/conformance/hosts/q35-intel.json'), `${JSON.stringify(recordedHost(), null, 2)}\n`);

for (const [profile, images] of Object.entries(recordedImages())) {
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
