import t from 'tap';
import { RecorderFiles } from './recorder-files.js';

t.test("a file got the lowest number that was free, from the recorder's first one on", async (t) => {
  const files = new RecorderFiles();
  for (const name of ['fd1', 'fd2', 'fd3']) files.add(name);
  t.equal(files.name(5), 'fd1');
  t.equal(files.name(7), 'fd3');
  files.remove('fd2');
  files.add('fd4');
  t.equal(files.name(6), 'fd4');
  files.add('eventfd');
  t.equal(files.name(8), 'eventfd');
  t.equal(files.name(9), undefined);
});

t.test('a number that the recording tells is taken as it is', async (t) => {
  const files = new RecorderFiles();
  files.add('fd1', 9);
  files.add('fd2');
  t.equal(files.name(9), 'fd1');
  t.equal(files.name(5), 'fd2');
});
