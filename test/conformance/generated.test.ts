import { readFileSync } from 'node:fs';
import t from 'tap';
import { deblikeImages } from '../../src/machine/images-deblike.js';
import { fullImages } from '../../src/machine/images-full.js';
import { recordedHost, recordedImages } from './hosts/generated.js';

// As text, so that the order of keys counts too.
const text = (value: unknown) => JSON.stringify(value, null, 2);
const MADE = 'made anew by test/conformance/hosts/make.ts';

t.test('the host of the recordings is what they make of it', async (t) => {
  const host = new URL('../../../test/conformance/hosts/q35-intel.json', import.meta.url);
  t.equal(text(JSON.parse(readFileSync(host, 'utf8'))), text(recordedHost()), MADE);
});

t.test('facts of modules are what the recordings say', async (t) => {
  const { full, deblike } = recordedImages();
  t.equal(text(fullImages), text(full), MADE);
  t.equal(text(deblikeImages), text(deblike), MADE);
});
