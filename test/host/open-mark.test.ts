import { closeSync } from 'node:fs';
import t from 'tap';
import { NativeCalls } from '../../src/host/native.js';
import { OpenMarks } from '../../src/host/open-mark.js';

t.test('a mark tells whether a file without a name is open, by any descriptor', async (t) => {
  const calls = await NativeCalls.load();
  const eventfd = calls.bind('int eventfd(unsigned int initial, int flags)');
  const dup = calls.bind('int dup(int fd)');
  const marks = new OpenMarks(calls);
  const [one, other] = [eventfd(0, 0), eventfd(0, 0)];
  const [mark, otherMark] = [marks.add(one), marks.add(other)];
  t.not(mark, otherMark);
  t.ok(marks.isOpen(mark));
  t.ok(marks.has(one, mark));
  t.notOk(marks.has(other, mark));
  t.notOk(marks.has(one, otherMark));
  const copy = dup(one);
  closeSync(one);
  t.ok(marks.isOpen(mark), 'a copy keeps the file open');
  t.ok(marks.has(copy, mark), 'and is the same file');
  closeSync(copy);
  t.notOk(marks.isOpen(mark));
  t.notOk(marks.has(other, mark));
  t.ok(marks.isOpen(otherMark));
  closeSync(other);
  t.notOk(marks.isOpen(otherMark));
});
