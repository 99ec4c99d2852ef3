import t from 'tap';
import type { CharFile } from '../../src/base/file.js';
import type { OpenDeviceFile } from '../../src/fuse/char-device.js';
import type { DeviceFiles, NamelessNode } from '../../src/host/device-files.js';
import type { FileOpener } from '../../src/host/file-opener.js';
import { SpareFiles } from '../../src/host/spare-files.js';

const OPENER = 7;

/** An opener that opens what is asked for after a while, and the names that it was asked for. */
function sample() {
  const names: string[] = [];
  const opened: OpenDeviceFile[] = [];
  const opener = {
    pid: OPENER,
    open: async (name: string) => {
      const number = names.push(name);
      await Promise.resolve();
      const node = spares.find(name, OPENER) as NamelessNode;
      opened.push(node.open());
      return number;
    },
  };
  let added = 0;
  const add = () => {
    const number = ++added;
    return { poll: () => number };
  };
  const files = { add };
  const spares: SpareFiles = new SpareFiles(files as unknown as DeviceFiles, opener as unknown as FileOpener);
  return { names, opened, spares };
}

// The kernel keeps each name, and the file that it led to.
t.test('names are used again, so there are no more than are opened at one time', async (t) => {
  const { names, spares } = sample();
  for (let n = 0; n < 100; n++) await spares.open();
  t.equal(new Set(names).size, 1);
  await Promise.all([spares.open(), spares.open(), spares.open()]);
  t.equal(new Set(names.slice(100)).size, 3);
  await spares.open();
  t.equal(new Set(names).size, 3);
});

t.test('each is a file of its own, that nobody else finds', async (t) => {
  const { names, opened, spares } = sample();
  const all = await Promise.all([spares.open(), spares.open()]);
  const file = { get: () => file } as unknown as CharFile;
  for (const spare of all) spare.become(file);
  t.same(
    opened.map((each) => each.poll()),
    [1, 2],
  );
  const opening = spares.open();
  t.equal(spares.find(names.at(-1)!, OPENER + 1), undefined);
  t.ok(spares.find(names.at(-1)!, OPENER));
  await opening;
  t.equal(spares.find(names.at(-1)!, OPENER), undefined);
});
