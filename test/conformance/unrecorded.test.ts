import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type Case, readLines, type Step } from './recording.js';
import { inferred, sampleTypes } from './unrecorded.js';

const oracle = fileURLToPath(new URL('../../../test/data/oracle/', import.meta.url));
const uuid = '83b8f4f2-509f-382f-3c1e-e6bfe0fa1000';
const device = `/sys/devices/virtual/mtty/mtty/${uuid}`;
const create: Step = {
  op: 'echo',
  args: { path: `${sampleTypes.mtty}/create`, data: { s: uuid }, flags: 'O_WRONLY' },
  ret: 36,
};
const remove = (text: string): Step => ({
  op: 'echo',
  args: { path: `${device}/remove`, data: { s: text }, flags: 'O_WRONLY' },
  ret: text.length,
});
const look: Step = { op: 'lstat', args: { path: device }, ret: {} };
const actions = (...steps: Step[]) => [...inferred({ id: 'case', desc: '', steps })];
const made = { do: 'create', uuid, type: sampleTypes.mtty };

t.test('a device that is used and was never created was created before', async (t) => {
  t.same(actions(look), [[0, [made]]]);
  t.same(actions(create, look), []);
  t.same(actions({ ...look, ret: undefined, errno: 'ENOENT' }), []);
});

t.test('a device that was removed and is there again was created in between', async (t) => {
  t.same(actions(create, remove('1\n'), look), [[2, [made]]]);
  t.same(actions(create, remove('0\n'), look), [], 'a write of zero removes nothing');
});

t.test('a device that is created twice was removed in between', async (t) => {
  t.same(actions(create, create), [[1, [{ do: 'remove', uuid }]]]);
});

t.test('the type of a device is taken from wherever the case tells it', async (t) => {
  const type = '/sys/devices/virtual/mdpy/mdpy/mdev_supported_types/mdpy-hd';
  const link: Step = { op: 'readlink', args: { path: `${type}/devices/${uuid}` }, ret: `../../../${uuid}` };
  t.same(actions(link), [[0, [{ do: 'create', uuid, type }]]]);
});

t.test('nothing is inferred in the random sequences, which were recorded whole', async (t) => {
  for (const recording of readLines<Case>(`${oracle}cases/fuzz.jsonl`)) {
    const found = inferred(recording);
    if (found.size > 0) t.fail(recording.id, { found: [...found] });
  }
});
